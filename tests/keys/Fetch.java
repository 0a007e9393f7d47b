import java.net.URL;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLException;

/** Prints the status of each URL, or "refused" when TLS does not trust it. */
public class Fetch {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            try {
                System.out.println(((HttpsURLConnection) new URL(url).openConnection()).getResponseCode());
            } catch (SSLException refused) {
                System.out.println("refused");
            }
        }
    }
}
