"""Objects that go when their time is up: events, requests for certificates, bootstrap tokens, leases."""
