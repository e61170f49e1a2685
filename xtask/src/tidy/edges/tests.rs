//! The table held against small workspaces.

use serde_json::json;

use super::*;

fn workspace(name: &str, dependency: &str, kind: Option<&str>) -> Value {
    json!({"packages": [
        {"name": name, "dependencies": [{"name": dependency, "kind": kind}, {"name": "serde", "kind": null}]},
        {"name": dependency, "dependencies": []},
    ]})
}

#[test]
fn an_arrow_down_is_allowed_and_an_arrow_up_is_not() {
    assert_eq!(check(&workspace("store", "runtime", None)), Vec::<String>::new());
    assert_eq!(check(&workspace("agent", "store", None)), ["`agent` must not depend on `store`"]);
}

#[test]
fn only_tests_may_use_the_testkit() {
    assert_eq!(check(&workspace("store", "testkit", Some("dev"))), Vec::<String>::new());
    assert_eq!(check(&workspace("server", "testkit", None)), ["`server` must not depend on `testkit`"]);
}

#[test]
fn tests_may_not_point_up_by_another_way() {
    assert_eq!(
        check(&workspace("domain", "runtime", Some("dev"))),
        ["`domain` must not depend on `runtime`"]
    );
}

#[test]
fn a_new_crate_must_be_put_in_the_table() {
    let told = check(&json!({"packages": [{"name": "utils", "dependencies": []}]}));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("`utils` is not in the table"), "{told:?}");
}

#[test]
fn tests_may_use_their_own_crate_with_other_features() {
    assert_eq!(check(&workspace("sandbox", "sandbox", Some("dev"))), Vec::<String>::new());
}
