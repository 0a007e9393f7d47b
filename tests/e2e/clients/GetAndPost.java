// Java's HttpClient ("new", "asked") or HttpURLConnection ("old"): GET, then POST.
// Arguments: which, URL of the GET, URL of the POST, its JSON.  The proxy's token is the one in the URL of http_proxy;
// "new" presents it in a header, the others when an Authenticator is asked for it.
import java.io.IOException;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

public class GetAndPost {
    public static void main(String[] arguments) throws Exception {
        String which = arguments[0];
        for (String body : new String[] {null, arguments[3]}) {
            URI url = URI.create(body == null ? arguments[1] : arguments[2]);
            int status = which.equals("old") ? withConnection(url, body) : withClient(url, body, which.equals("asked"));
            System.out.println(status);
        }
    }

    static int withConnection(URI url, String body) throws IOException {
        if (token() != null) {
            Authenticator.setDefault(authenticator());
        }
        HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
        connection.setRequestProperty("Authorization", "Bearer token");
        if (body != null) {
            connection.setRequestProperty("Content-Type", "application/json");
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        }
        return connection.getResponseCode();
    }

    static int withClient(URI url, String body, boolean asked) throws IOException, InterruptedException {
        HttpClient.Builder client = HttpClient.newBuilder();
        HttpRequest.Builder request = HttpRequest.newBuilder(url).header("Authorization", "Bearer token");
        if (asked) {
            client.authenticator(authenticator());
        } else if (token() != null) {
            request.header("Proxy-Authorization", "Bearer " + token());
        }
        if (body != null) {
            request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
        }
        return client.build().send(request.build(), BodyHandlers.discarding()).statusCode();
    }

    static String token() {
        String proxy = System.getenv("http_proxy");
        String user = proxy == null ? null : URI.create(proxy).getUserInfo();
        return user == null ? null : user.split(":", 2)[1];
    }

    static Authenticator authenticator() {
        return new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                boolean asked = getRequestorType() == RequestorType.PROXY;
                return asked ? new PasswordAuthentication("any", token().toCharArray()) : null;
            }
        };
    }
}
