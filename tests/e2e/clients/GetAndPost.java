// Java's HttpClient ("new") or HttpURLConnection ("old"): GET, then POST.
// Arguments: which, URL of the GET, URL of the POST, its JSON.  Credentials: those in the URL of http_proxy.
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
        boolean old = arguments[0].equals("old");
        for (String body : new String[] {null, arguments[3]}) {
            URI url = URI.create(body == null ? arguments[1] : arguments[2]);
            System.out.println(old ? withConnection(url, body) : withClient(url, body));
        }
    }

    static int withConnection(URI url, String body) throws IOException {
        if (credentials() != null) {
            Authenticator.setDefault(credentials());
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

    static int withClient(URI url, String body) throws IOException, InterruptedException {
        HttpClient.Builder client = HttpClient.newBuilder();
        if (credentials() != null) {
            client.authenticator(credentials());
        }
        HttpRequest.Builder request = HttpRequest.newBuilder(url).header("Authorization", "Bearer token");
        if (body != null) {
            request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
        }
        return client.build().send(request.build(), BodyHandlers.discarding()).statusCode();
    }

    static Authenticator credentials() {
        String proxy = System.getenv("http_proxy");
        String user = proxy == null ? null : URI.create(proxy).getUserInfo();
        return user == null ? null : new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                String[] parts = user.split(":", 2);
                boolean asked = getRequestorType() == RequestorType.PROXY;
                return asked ? new PasswordAuthentication(parts[0], parts[1].toCharArray()) : null;
            }
        };
    }
}
