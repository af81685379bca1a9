package clients;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;

/** kafka-clients, the reference client. Usage: Main HOST:PORT */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments[0].equals("--member")) {
            GroupChecks.member(arguments[1], arguments[2], arguments[3], arguments[4]);
        }
        Properties version = new Properties();
        try (InputStream file = Admin.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            version.load(file);
        }
        System.out.println("kafka-clients " + version.getProperty("version") + ", Java " + Runtime.version());
        Checks checks = new Checks();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            AdminChecks adminChecks = new AdminChecks(admin);
            DataChecks dataChecks = new DataChecks(arguments[0], adminChecks);
            checks.run("cluster", adminChecks::cluster);
            checks.run("create topic", adminChecks::createTopic);
            dataChecks.run(checks);
            adminChecks.run(checks, dataChecks);
            for (String protocol : new String[] {"classic", "consumer"}) {
                new GroupChecks(arguments[0], admin, adminChecks, protocol).run(checks);
            }
        }
        System.exit(checks.finish());
    }
}
