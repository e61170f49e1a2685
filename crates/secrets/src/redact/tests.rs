use super::*;

fn redacted(text: &str) -> String {
    Redactor::default().redact(text).into_owned()
}

#[test]
fn known_values_go_the_longest_first() {
    let redactor = Redactor::new(["hunter2-long".into(), "hunter2".into(), "abc".into()]);
    assert_eq!(redactor.redact("a hunter2-long, hunter2, abc."), "a [redacted], [redacted], abc.");
}

#[test]
fn every_shape_is_taken_out_and_its_surroundings_stay() {
    let secrets = [
        format!("sk-ant-api03-{}", "a1".repeat(20)),
        format!("sk-proj-{}", "Zz9_".repeat(10)),
        format!("AIza{}", "b2".repeat(17) + "c"),
        format!("gsk_{}", "c3".repeat(12)),
        format!("ghp_{}", "d4".repeat(18)),
        format!("github_pat_{}", "e5".repeat(15)),
        format!("glpat-{}", "f6".repeat(10)),
        format!("xoxb-{}", "12345-abcdef"),
        format!("jm_{}", "g7".repeat(21) + "h"),
        format!("e2b_{}", "0a".repeat(20)),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----".to_owned(),
    ];
    for secret in secrets {
        assert_eq!(redacted(&format!("before \"{secret}\" after")), "before \"[redacted]\" after");
    }
}

#[test]
fn labels_stay_and_what_they_announce_goes() {
    let cases = [
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer [redacted]"),
        ("curl -H 'authorization: Basic dXNlcjpwYXNz'", "curl -H 'authorization: Basic [redacted]'"),
        ("{\"x-api-key\":\"0123456789\"}", "{\"x-api-key\":\"[redacted]\"}"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [redacted]"),
        ("git clone https://bot:s3cr3t-word@host/x.git", "git clone https://bot:[redacted]@host/x.git"),
    ];
    for (text, wanted) in cases {
        assert_eq!(redacted(text), wanted);
    }
}

#[test]
fn ordinary_text_is_left_alone_and_not_copied() {
    let ordinary = "the risk-assessment of sk-loading-container-wrapper at http://127.0.0.1:4000/welcome is \
                    done; bearer of news; -----BEGIN CERTIFICATE-----";
    assert!(matches!(Redactor::default().redact(ordinary), Cow::Borrowed(text) if text == ordinary));
}
