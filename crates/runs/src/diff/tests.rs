use super::*;

const PATCH: &str = "diff --git a/lib/cart.sh b/lib/cart.sh
index 1..2 100644
--- a/lib/cart.sh
+++ b/lib/cart.sh
@@ -3,3 +3,4 @@ total() {
 keep
--- not a header
+++ not a header either
+diff --git a/x b/x
 end
\\ No newline at end of file
diff --git a/old name b/new name
similarity index 100%
rename from old name
rename to new name
diff --git a/logo.png b/logo.png
new file mode 100644
index 0..1
Binary files /dev/null and b/logo.png differ
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git \"a/tab\\there\\303\\251\" \"b/tab\\there\\303\\251\"
new file mode 100755
--- /dev/null
+++ \"b/tab\\there\\303\\251\"
@@ -0,0 +1 @@
+x
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
";

#[test]
fn every_sort_of_change_is_read() {
    let told: Vec<String> = parse(PATCH)
        .iter()
        .map(|file| {
            let lines: Vec<String> = file
                .hunks
                .iter()
                .flat_map(|hunk| &hunk.lines)
                .map(|line| format!("{}{}", line.kind, line.text))
                .collect();
            format!(
                "{:?} {:?} {:?} +{:?} -{:?} {lines:?}",
                file.status, file.old_path, file.path, file.added, file.removed
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"Modified None "lib/cart.sh" +Some(2) -Some(1) [" keep", "--- not a header", "+++ not a header either", "+diff --git a/x b/x", " end"]"#,
            r#"Renamed Some("old name") "new name" +Some(0) -Some(0) []"#,
            r#"Added None "logo.png" +None -None []"#,
            r#"Deleted None "gone" +Some(0) -Some(1) ["-bye"]"#,
            r#"Added None "tab\thereé" +Some(1) -Some(0) ["+x"]"#,
            r#"Modified None "run.sh" +Some(0) -Some(0) []"#,
        ]
    );
}

#[test]
fn a_very_large_file_is_counted_but_not_shown() {
    let mut patch = String::from(
        "diff --git a/big b/big\nnew file mode 100644\n--- /dev/null\n+++ b/big\n@@ -0,0 +1,6000 @@\n",
    );
    for _ in 0..6_000 {
        patch.push_str("+line\n");
    }
    let files = parse(&patch);
    assert_eq!((files[0].too_large, files[0].added, files[0].hunks.len()), (true, Some(6_000), 0));
}
