//! Names that people type or read: branch names and their slugs.

/// The longest slug, in bytes.
const SLUG_MAX_BYTES: usize = 40;

/// Turns free text into lower-case ASCII words joined by hyphens, at most 40 bytes, cut at a word.
/// Text without any such letter becomes `work`.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let needed = word.len() + usize::from(!slug.is_empty());
        if slug.len() + needed > SLUG_MAX_BYTES {
            if slug.is_empty() {
                slug.push_str(&word[..SLUG_MAX_BYTES].to_ascii_lowercase());
            }
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() { "work".to_owned() } else { slug }
}

/// The branch that carries the result of run `number`.
#[must_use]
pub fn branch(number: i64, goal: &str) -> String {
    format!("journeyman/{number}-{}", slug(goal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_becomes_a_short_branch_name() {
        assert_eq!(
            branch(482, "Discount disappears: card fails!"),
            "journeyman/482-discount-disappears-card-fails"
        );
        assert_eq!(slug("…"), "work");
        assert_eq!(slug(&"x".repeat(90)).len(), 40);
        assert_eq!(
            slug("one two three four five six seven eight nine ten"),
            "one-two-three-four-five-six-seven-eight"
        );
    }
}
