<?php
// PHP's curl extension: GET, then POST.  Arguments: URL of the GET, URL of the POST, its JSON.
[, $get, $post, $body] = $argv;
$handle = curl_init();
foreach ([[$get, []], [$post, [CURLOPT_POSTFIELDS => $body]]] as [$url, $more]) {
    $headers = ['Authorization: Bearer token', ...($more ? ['Content-Type: application/json'] : [])];
    curl_setopt_array($handle, [CURLOPT_URL => $url, CURLOPT_HTTPHEADER => $headers, CURLOPT_RETURNTRANSFER => true] + $more);
    if (curl_exec($handle) === false) {
        fwrite(STDERR, curl_error($handle) . "\n");
        exit(1);
    }
    echo curl_getinfo($handle, CURLINFO_RESPONSE_CODE), "\n";
}
