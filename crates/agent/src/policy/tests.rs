//! Rules and hashes.

use domain::transcript::ToolCall;
use serde_json::json;

use super::*;

fn rule(tool: &str, target: &str, decision: Decision) -> Rule {
    Rule { tool: tool.to_owned(), target: target.to_owned(), decision }
}

#[test]
fn the_strictest_fitting_rule_counts_and_without_one_a_call_is_allowed() {
    let policy = Policy {
        rules: vec![
            rule("*", "*", Decision::Allow),
            rule("bash", "git push*", Decision::Ask),
            rule("bash", "*--force*", Decision::Deny),
            rule("write_file", "secrets/?.txt", Decision::Deny),
        ],
        grants: Vec::new(),
    };
    assert_eq!(policy.decide("bash", "git push origin"), Decision::Ask);
    assert_eq!(policy.decide("bash", "git push\n  --force"), Decision::Deny);
    assert_eq!(policy.decide("bash", "git status"), Decision::Allow);
    assert_eq!(policy.decide("write_file", "secrets/a.txt"), Decision::Deny);
    assert_eq!(policy.decide("write_file", "secrets/ab.txt"), Decision::Allow);
    assert_eq!(Policy::default().decide("bash", "anything"), Decision::Allow);
}

#[test]
fn a_call_hash_does_not_depend_on_the_order_of_keys_but_on_tool_and_values() {
    let call = |tool: &str, arguments| ToolCall {
        id: "c1".to_owned(),
        tool: tool.to_owned(),
        arguments,
        replay: None,
    };
    let one = call_hash(&call("bash", json!({"command": "ls", "timeout_seconds": 3})));
    let other_order: Value = serde_json::from_str(r#"{"timeout_seconds":3,"command":"ls"}"#).unwrap();
    assert_eq!(one, call_hash(&call("bash", other_order)));
    assert_eq!(one.len(), 64);
    assert_ne!(one, call_hash(&call("bash", json!({"command": "ls", "timeout_seconds": 4}))));
    assert_ne!(one, call_hash(&call("grep", json!({"command": "ls", "timeout_seconds": 3}))));
}
