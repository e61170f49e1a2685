//! Arguments of the commands about sandboxes.

use clap::{Args, Subcommand};

/// `journeyman box`
#[derive(Debug, Subcommand)]
pub(crate) enum BoxCommand {
    /// Make a link to a port of a sandbox; list and revoke links
    Preview(PreviewArgs),
    /// Show or change what a sandbox may reach
    Egress(EgressArgs),
}

/// `journeyman box preview`
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The sandbox
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// The port inside; without it the previews are listed
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// How long it counts: 90s, 30m, 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    pub(crate) expires: u64,
    /// Open to everybody who knows the address, without a secret in it
    #[arg(long)]
    pub(crate) public: bool,
    /// Revoke this preview; what is open through it ends
    #[arg(long, value_name = "PREVIEW", conflicts_with_all = ["port", "public"])]
    pub(crate) revoke: Option<String>,
}

/// `journeyman box egress`
#[derive(Debug, Args)]
pub(crate) struct EgressArgs {
    /// The sandbox
    #[arg(value_name = "SANDBOX")]
    pub(crate) sandbox: String,
    /// Allow this as well: example.com, *.example.com:443, 9.9.9.0/24 (may be repeated)
    #[arg(long, value_name = "RULE")]
    pub(crate) allow: Vec<String>,
    /// Exclude this, whatever is allowed (may be repeated)
    #[arg(long, value_name = "RULE")]
    pub(crate) deny: Vec<String>,
    /// Allow every public host
    #[arg(long)]
    pub(crate) public: bool,
    /// Allow nothing any more
    #[arg(long, conflicts_with_all = ["allow", "deny", "public"])]
    pub(crate) none: bool,
}

/// `90s`, `30m`, `12h`, `7d`, in seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no time such as 30m or 12h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_with_their_unit() {
        for (text, wanted) in [("90s", 90), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(seconds(text), Ok(wanted));
        }
        for wrong in ["", "5", "h", "-1h", "0s", "1.5h", "1w", "99999999999999999999s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
