"""Proxies that log users in, and writes from pages of other sites."""

import pytest

from registry.errors import UsageError
from registry.writes.request_guards import TrustedProxies, cross_site_refusal


class TestTrustedProxies:
    @pytest.mark.parametrize(
        ("peer", "expected"),
        [
            ("10.0.0.7", "alice"),
            ("::ffff:10.0.0.7", "alice"),
            ("10.1.2.3", "alice"),
            ("2001:db8::5", "alice"),
            ("10.0.0.8", None),
            ("127.0.0.1", None),
            ("::1", None),
            ("2001:db8:1::5", None),
            ("localhost", None),
            ("", None),
        ],
    )
    def test_only_the_given_addresses_name_a_user(self, peer: str, expected: str | None) -> None:
        proxies = TrustedProxies(["10.0.0.7", "10.1.0.0/16", "2001:db8::/48"])
        assert proxies.user_of(peer, ["alice"]) == expected

    @pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.7", ""])
    def test_without_addresses_no_one_does(self, peer: str) -> None:
        assert TrustedProxies().user_of(peer, ["alice"]) is None

    @pytest.mark.parametrize("values", [[], [""], [" "], ["alice", "bob"], ["alice", "alice"]])
    def test_a_missing_empty_or_repeated_header_names_no_user(self, values: list[str]) -> None:
        assert TrustedProxies(["10.0.0.7"]).user_of("10.0.0.7", values) is None

    @pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/7", "::/3"])
    def test_a_network_of_everyone_is_refused(self, network: str) -> None:
        with pytest.raises(UsageError, match="would believe every client"):
            TrustedProxies(["10.0.0.7", network])

    @pytest.mark.parametrize(
        "text", ["*", "", "proxy.example.org", "10.0.0.1/24", "10.0.0", "10.0.0.1-9", "localhost"]
    )
    def test_other_texts_are_refused(self, text: str) -> None:
        with pytest.raises(UsageError, match="is not an address") as caught:
            TrustedProxies([text])
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("peer", "forwarded", "expected"),
        [
            ("192.0.2.9", ["1.1.1.1"], "192.0.2.9"),
            ("10.0.0.7", [], "10.0.0.7"),
            ("10.0.0.7", ["192.0.2.9"], "192.0.2.9"),
            ("10.0.0.7", ["1.1.1.1, 192.0.2.9"], "192.0.2.9"),
            ("10.0.0.7", ["1.1.1.1", "192.0.2.9"], "192.0.2.9"),
            ("10.0.0.7", ["192.0.2.9, 10.0.0.8"], "192.0.2.9"),
            ("10.0.0.7", ["1.1.1.1, garbage, 10.0.0.8"], "10.0.0.8"),
            ("10.0.0.7", ["garbage"], "10.0.0.7"),
        ],
    )
    def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
        self, peer: str, forwarded: list[str], expected: str
    ) -> None:
        assert TrustedProxies(["10.0.0.0/24"]).client_of(peer, forwarded) == expected


HOST = {"host": "registry.example.org"}


class TestCrossSite:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "ANYTHING"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "Cross-Site"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": "registry.example.org"},
            {"origin": "https://registry.example.org.evil.example"},
            {"origin": "https://registry.example.org:8443"},
            {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
            {"origin": "https://registry.example.org", "sec-fetch-site": "cross-site"},
            {"origin": "ftp://registry.example.org"},
            {"origin": "https://["},
        ],
    )
    def test_a_write_from_another_page_is_refused(self, method: str, headers: dict[str, str]) -> None:
        assert cross_site_refusal(method, HOST | headers)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"sec-fetch-site": "same-origin"},
            {"sec-fetch-site": "none"},
            {"origin": "https://registry.example.org"},
            {"origin": "http://registry.example.org"},
            {"origin": "https://Registry.Example.org:443"},
            {"origin": "https://registry.example.org", "sec-fetch-site": "same-origin"},
        ],
    )
    def test_programs_and_own_pages_may_write(self, headers: dict[str, str]) -> None:
        assert cross_site_refusal("POST", HOST | headers) == ""

    def test_a_port_belongs_to_the_origin(self) -> None:
        local = {"host": "127.0.0.1:8000"}
        assert cross_site_refusal("PUT", local | {"origin": "http://127.0.0.1:8000"}) == ""
        assert cross_site_refusal("PUT", local | {"origin": "http://127.0.0.1:9000"})
        assert cross_site_refusal("PUT", local | {"origin": "http://127.0.0.1"})

    @pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
    def test_a_client_may_name_the_default_port_in_the_host(self, scheme: str, port: int) -> None:
        headers = {"host": f"Registry.example.org:{port}", "origin": f"{scheme}://registry.example.org"}
        assert cross_site_refusal("POST", headers) == ""
        assert cross_site_refusal("POST", headers | {"host": "registry.example.org:8443"})

    @pytest.mark.parametrize("origin", ["https://registry.example.org", "https://registry.example.org:443"])
    def test_behind_a_proxy_that_replaces_the_host_the_own_origin_is_named(self, origin: str) -> None:
        headers = {"host": "127.0.0.1:8000", "origin": origin}
        assert "base_url" in cross_site_refusal("POST", headers)
        assert cross_site_refusal("POST", headers, ["https://registry.example.org"]) == ""
        assert cross_site_refusal("POST", headers, ["https://other.example.org"])
        assert cross_site_refusal("POST", headers, ["http://registry.example.org"])

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_reading_is_not_affected(self, method: str) -> None:
        headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert cross_site_refusal(method, HOST | headers) == ""
