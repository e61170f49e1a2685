use super::*;

#[test]
fn the_table_reads_and_its_prices_are_plausible() {
    let table: PriceTable = toml::from_str(TABLE).unwrap();
    assert!(table.version > 0 && table.models.len() > 20);
    for model in &table.models {
        let price = model.price();
        assert!(price.input > 0 && price.output >= price.input, "{}", model.name);
        assert!(price.cache_read <= price.input && price.cache_write >= price.input, "{}", model.name);
        assert!(model.context_tokens >= 100_000, "{}", model.name);
        let same = table.models.iter().filter(|other| other.name == model.name).count();
        assert_eq!(same, 1, "{} is listed twice", model.name);
    }
}

/// 2026-11-21.
const NOW_MS: i64 = 1_795_219_200_000;

fn look_up(name: &str, overrides: &BTreeMap<String, PriceOverride>) -> (Option<Price>, Option<u64>) {
    let (tariff, context_tokens) = super::look_up(name, overrides, NOW_MS);
    (tariff.price, context_tokens)
}

fn cost(name: &str, now_ms: i64, input_tokens: u64) -> Cost {
    let usage = Usage { input_tokens, output_tokens: 1_000_000, ..Usage::default() };
    super::look_up(name, &BTreeMap::new(), now_ms).0.cost(&usage)
}

#[test]
fn long_prompts_cost_what_the_table_says_or_what_nobody_knows() {
    let pro = "gemini/gemini-2.5-pro";
    assert_eq!(cost(pro, NOW_MS, 200_000), Some(domain::Micros(250_000 + 10_000_000)));
    assert_eq!(cost(pro, NOW_MS, 200_001), Some(domain::Micros(500_003 + 15_000_000)));
    assert!(cost("openai/gpt-6-sol", NOW_MS, 272_000).is_some());
    assert_eq!(cost("openai/gpt-6-sol", NOW_MS, 272_001), None);
}

#[test]
fn a_price_that_is_announced_to_end_is_not_known_afterwards() {
    let new_year_ms = 1_798_761_600_000;
    assert!(cost("gemini/gemini-3.8-flash", new_year_ms - 1, 1).is_some());
    assert_eq!(cost("gemini/gemini-3.8-flash", new_year_ms, 1), None);
}

#[test]
fn dated_names_have_the_price_of_their_model_and_others_have_none() {
    let none = BTreeMap::new();
    let plain = look_up("anthropic/claude-sonnet-4-5", &none);
    assert!(plain.0.is_some());
    assert_eq!(look_up("anthropic/claude-sonnet-4-5-20250929", &none), plain);
    assert_eq!(look_up("openai/gpt-5-2025-08-07", &none), look_up("openai-chat/gpt-5", &none));
    assert_ne!(look_up("openai/gpt-5-mini", &none), look_up("openai/gpt-5", &none));
    for unknown in
        ["openai/gpt-5-unheard-of", "openai/gpt-5x", "ollama/llama3", "anthropic/claude-sonnet-4-55"]
    {
        assert_eq!(look_up(unknown, &none), (None, None), "{unknown}");
    }
}

#[test]
fn an_override_goes_before_the_table_and_the_longest_name_wins() {
    let set =
        |input| PriceOverride { input, output: 9, cache_read: None, cache_write: None, context_tokens: None };
    let overrides =
        [("ollama/*", set(1)), ("ollama/llama3", set(2)), ("anthropic/claude-sonnet-4-5", set(3))];
    let overrides = overrides.into_iter().map(|(name, set)| (name.to_owned(), set)).collect();
    let input = |name| look_up(name, &overrides).0.unwrap().input;
    assert_eq!(input("ollama/mistral"), 1);
    assert_eq!(input("ollama/llama3"), 2);
    assert_eq!(input("anthropic/claude-sonnet-4-5-20250929"), 3);
    assert!(look_up("anthropic/claude-sonnet-4-5", &overrides).1.is_some(), "the window stays known");
}
