# curl: GET, then POST, on one connection.  Arguments: URL of the GET, URL of the POST, its JSON.
exec curl --silent --show-error --output /dev/null --write-out '%{http_code}\n' \
    --header 'Authorization: Bearer token' "$1" \
  --next --silent --show-error --output /dev/null --write-out '%{http_code}\n' \
    --header 'Authorization: Bearer token' --header 'Content-Type: application/json' --data "$3" "$2"
