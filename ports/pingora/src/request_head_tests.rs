use super::*;

type Fields<'a> = &'a [(&'static str, &'a str)];

fn head(method: &str, target: &str, fields: Fields<'_>) -> Result<RequestHead, &'static str> {
    let mut request = RequestHeader::build(method, target.as_bytes(), None).expect("a request");
    for (name, value) in fields {
        request.append_header(*name, value.to_string()).expect("a field");
    }
    read_request_head(&request).map_err(|problem| problem.code)
}

const PLAIN: [(&str, &str); 2] = [("Host", "a.test"), ("X-Routing-Key", "visa")];

fn with<'a>(more: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
    PLAIN.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn brings_a_target_to_origin_form() {
    let cases = [
        ("/a?b", "/a?b", None),
        ("http://b.test/a", "/a", Some("b.test")),
        ("HTTPS://b.test:8443?x", "/?x", Some("b.test:8443")),
        ("http://b.test", "/", Some("b.test")),
    ];
    for (target, path, host) in cases {
        let (read, authority) = read_target("GET", target.as_bytes()).expect("a target");
        assert_eq!((read.as_slice(), authority), (path.as_bytes(), host.map(str::as_bytes)), "{target}");
    }
    for (method, target, code) in [
        ("GET", "*", "target-not-supported"),
        ("OPTIONS", "http://b.test", "target-not-supported"),
        ("GET", "a/b", "unsupported-target"),
        ("GET", "ftp://b.test/", "unsupported-target"),
        ("GET", "http:///a", "unsupported-target"),
        ("GET", "http://u@b.test/", "unsupported-target"),
        ("GET", "/a#b", "unsupported-target"),
    ] {
        assert_eq!(read_target(method, target.as_bytes()).map_err(|p| p.code), Err(code), "{target}");
    }
}

#[test]
fn wants_exactly_one_key() {
    let long = "k".repeat(257);
    let cases: [(Fields<'_>, Result<&str, &str>); 5] = [
        (&PLAIN, Ok("visa")),
        (&[("Host", "a"), ("X-Routing-Key", "visa"), ("x-routing-key", "visa")], Ok("visa")),
        (&[("Host", "a"), ("X-Routing-Key", "visa"), ("x-routing-key", "acme")], Err("ambiguous-routing-key")),
        (&[("Host", "a")], Err("missing-routing-key")),
        (&[("Host", "a"), ("X-Routing-Key", &long)], Err("routing-key-too-long")),
    ];
    for (fields, expected) in cases {
        let read = head("GET", "/", fields).map(|head| head.routing_key);
        assert_eq!(read.as_deref().map_err(|code| *code), expected);
    }
}

#[test]
fn answers_one_expectation_and_refuses_the_others() {
    let expects = |value| head("POST", "/", &with(&[("Expect", value)])).map(|head| head.expects_continue);
    assert_eq!(expects("100-Continue"), Ok(true));
    assert_eq!(expects("100-continue, 100-continue"), Ok(true));
    assert_eq!(expects(""), Ok(false));
    assert_eq!(expects("100-continue, tea"), Err("expectation-failed"));
}

#[test]
fn counts_the_hops_of_options_alone() {
    let hops = |method, value| head(method, "/", &with(&[("Max-Forwards", value)])).map(|head| head.hops_left);
    assert_eq!(hops("OPTIONS", "0"), Ok(Some(0)));
    assert_eq!(hops("OPTIONS", "12"), Ok(Some(12)));
    assert_eq!(hops("OPTIONS", "-1"), Ok(None));
    assert_eq!(hops("GET", "0"), Ok(None));
}

#[test]
fn finds_fields_that_look_like_its_own() {
    let head = head("GET", "/", &with(&[("X_Routing_Key", "acme"), ("x_a", "1"), ("X-Forwarded_For", "b")]));
    let mut names = head.expect("a head").look_alikes;
    names.sort();
    assert_eq!(names, ["x-forwarded_for", "x_routing_key"]);
}

#[test]
fn wants_one_host_and_plain_framing() {
    let cases: [(&[(&'static str, &str)], &str); 4] = [
        (&[("X-Routing-Key", "visa")], "ambiguous-host"),
        (&[("Host", "a"), ("Host", "a"), ("X-Routing-Key", "visa")], "ambiguous-host"),
        (&[("Host", "a,b"), ("X-Routing-Key", "visa")], "ambiguous-host"),
        (&[("Host", "a"), ("Transfer-Encoding", "gzip"), ("X-Routing-Key", "v")], "transfer-coding-not-supported"),
    ];
    for (fields, code) in cases {
        assert_eq!(head("GET", "/", fields).map(|_| ()), Err(code));
    }
}
