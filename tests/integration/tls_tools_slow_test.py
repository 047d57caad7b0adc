"""testssl.sh against the examples, two minutes: `tls_tools_slow_test.py FOLDER [TEST]`."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from examples_test import Server, main

# What is said of a certificate made for a demo, and of a site without header fields of its own.
EXPECTED = {
    "cert_chain_of_trust": "self-signed",
    "cert_expirationStatus": "good for 30 days",
    "cert_notAfter": "good for 30 days",
    "cert_revocation": "nobody has signed it, so nobody revokes it",
    "security_headers": "the site's business",
}
MINUTES = 60


class Testssl(unittest.TestCase):
    def test_finds_nothing_above_low(self):
        if not shutil.which("testssl"):
            self.skipTest("testssl is not installed: apt install testssl.sh")
        with tempfile.TemporaryDirectory() as folder, Server("http_server", "--tls-self-signed", "--log-level", "off") as server:
            report = pathlib.Path(folder, "report.json")
            ended = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", str(report), server.where],
                                   stdin=subprocess.DEVNULL, capture_output=True, timeout=8 * MINUTES)
            findings = json.loads(report.read_text())
        said = {each["id"]: each for each in findings}
        for wanted in ("TLS1_2", "TLS1_3", "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_client_renego", "CRIME_TLS", "LUCKY13"):
            self.assertIn(wanted, said, ended.stdout.decode(errors="replace")[-2000:])
        for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
            self.assertTrue(said[old]["finding"].startswith("not offered"), said[old])
        bad = [each for each in findings if each["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL") and each["id"] not in EXPECTED]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    main()
