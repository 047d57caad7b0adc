import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** Talks to http_server as java.net.http does; the first thing that is not as expected ends it. */
public class Talk {
    /** The demo's certificate is signed by nobody. */
    static final class TrustsEverybody extends X509ExtendedTrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}
        public void checkServerTrusted(X509Certificate[] chain, String type) {}
        public void checkClientTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
        public void checkServerTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
    }

    static void expect(boolean holds, Object seen) {
        if (holds) return;
        System.err.println("unexpected: " + seen);
        System.exit(1);
    }

    public static void main(String[] sites) throws Exception {
        SSLContext trusting = SSLContext.getInstance("TLS");
        trusting.init(null, new TrustManager[] {new TrustsEverybody()}, new SecureRandom());
        for (String site : sites) {
            // HTTP/2 is this client's default: over plain text it asks to upgrade, over TLS by ALPN.
            talk(HttpClient.newBuilder().sslContext(trusting).build(), site);
            talk(HttpClient.newBuilder().sslContext(trusting).version(HttpClient.Version.HTTP_1_1).build(), site);
        }
        System.exit(0); // the clients' threads would stay
    }

    static HttpRequest.Builder to(String site, String path) {
        return HttpRequest.newBuilder(URI.create(site + path)).timeout(Duration.ofSeconds(20));
    }

    static void talk(HttpClient client, String site) throws Exception {
        for (int i = 0; i < 20; ++i) {
            var answer = client.send(to(site, "/hello/" + i).build(), BodyHandlers.ofString());
            expect(answer.statusCode() == 200 && answer.body().equals("Hello, " + i + "!\n"), answer);
            expect(answer.version() == HttpClient.Version.HTTP_1_1, answer.version());
        }
        byte[] body = new byte[900_000];
        for (int i = 0; i < body.length; ++i) body[i] = (byte) (i % 251);
        BodyPublisher chunked = BodyPublishers.fromPublisher(BodyPublishers.ofByteArray(body));
        for (BodyPublisher each : List.of(BodyPublishers.ofByteArray(body), chunked)) {
            for (boolean waits : new boolean[] {false, true}) {
                var answer = client.send(to(site, "/echo-body").POST(each).expectContinue(waits).build(), BodyHandlers.ofByteArray());
                expect(java.util.Arrays.equals(answer.body(), body), answer);
            }
        }
        expect(client.send(to(site, "/stream/3").build(), BodyHandlers.ofString()).body().equals("line 1\nline 2\nline 3\n"), "stream");
        expect(client.send(to(site, "/nowhere").build(), BodyHandlers.ofString()).statusCode() == 404, "404");
        List<CompletableFuture<Integer>> many = new ArrayList<>();
        for (int i = 0; i < 30; ++i) {
            many.add(client.sendAsync(to(site, "/bytes/" + i * 1000).build(), BodyHandlers.ofByteArray()).thenApply(answer -> answer.body().length));
        }
        for (int i = 0; i < many.size(); ++i) expect(many.get(i).get() == i * 1000, i);
        expect(client.send(to(site, "/").method("HEAD", BodyPublishers.noBody()).build(), BodyHandlers.discarding()).statusCode() == 200, "HEAD");
    }
}
