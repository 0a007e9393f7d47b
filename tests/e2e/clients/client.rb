# Ruby's Net::HTTP: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON.
require 'net/http'

get, post, body = ARGV
asked = [[Net::HTTP::Get, URI(get)], [Net::HTTP::Post, URI(post)]]
asked.each do |method, url|
  request = method.new(url, 'Authorization' => 'Bearer token')
  if method == Net::HTTP::Post
    request['Content-Type'] = 'application/json'
    request.body = body
  end
  Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == 'https') do |connection|
    puts connection.request(request).code
  end
end
