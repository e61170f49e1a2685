//! Embeds the static guest agent: `GUEST_IMAGE` names the file for `include_bytes!`.

use std::path::PathBuf;

const BUILT: &str = "target/guest/x86_64-unknown-linux-gnu/release/journeyman-guest";

fn main() {
    println!("cargo::rerun-if-env-changed=JOURNEYMAN_GUEST");
    let path = guest_path();
    println!("cargo::rerun-if-changed={}", path.display());
    if !path.is_file() {
        println!(
            "cargo::error=the guest agent is not built yet ({} is missing): run `cargo xtask guest` once",
            path.display()
        );
        return;
    }
    println!("cargo::rustc-env=GUEST_IMAGE={}", path.display());
}

#[expect(clippy::disallowed_methods, reason = "a build script is configured by its environment")]
fn guest_path() -> PathBuf {
    if let Some(path) = std::env::var_os("JOURNEYMAN_GUEST") {
        return PathBuf::from(path);
    }
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    manifest.join("../..").join(BUILT)
}
