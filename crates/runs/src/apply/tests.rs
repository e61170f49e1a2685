use super::change::{check_path, link_leaves};

#[test]
fn paths_that_leave_the_tree_or_reach_gits_folder_are_refused() {
    for path in [
        "../x",
        "a/../../x",
        "/etc/x",
        ".git/config",
        "a/.GIT/hooks/x",
        ".git./x",
        ".g\u{200c}it/x",
        "GIT~1/x",
        ".git::$INDEX_ALLOCATION/x",
        "a\\b",
        "a//b",
    ] {
        assert!(check_path(path).is_err(), "{path}");
    }
    for path in ["a", "a/b.c", ".github/workflows/ci.yml", ".gitignore", "..a/b"] {
        assert!(check_path(path).is_ok(), "{path}");
    }
}

#[test]
fn links_out_of_the_tree_are_seen() {
    for (path, target) in [("a", "/etc/passwd"), ("a", ".."), ("d/a", "../../x"), ("d/a", "b/../../../x")] {
        assert!(link_leaves(path, target.as_bytes()), "{path} -> {target}");
    }
    for (path, target) in [("a", "b"), ("d/a", "../b"), ("d/a", "./b/../c")] {
        assert!(!link_leaves(path, target.as_bytes()), "{path} -> {target}");
    }
}
