use std::{collections::BTreeSet, sync::Arc};

use super::*;

#[test]
fn what_is_encoded_is_the_table_and_nothing_else() {
    let metrics = Arc::new(Metrics::default());
    let text = metrics.encode();
    let described: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE guildgate_")?.split(' ').next())
        .collect();
    let table: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(described, table);
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn what_is_counted_is_read() {
    let metrics = Arc::new(Metrics::default());
    metrics.count_authentication(Authentication::Full);
    metrics.count_authentication(Authentication::Full);
    metrics.count_refusal(TokenRefusal::Expired);
    metrics.discord_events.increment("GUILD_CREATE");
    metrics.store_latency.record(Duration::from_millis(3));
    metrics.guilds.set(5);
    let held = metrics.questions.hold();
    let text = metrics.encode();
    for line in [
        "guildgate_authentications_total{outcome=\"full\"} 2",
        "guildgate_token_refusals_total{reason=\"expired\"} 1",
        "guildgate_token_refusals_total{reason=\"foreign\"} 0",
        "guildgate_discord_events_total{event=\"GUILD_CREATE\"} 1",
        "guildgate_store_seconds_bucket{le=\"0.002\"} 0",
        "guildgate_store_seconds_bucket{le=\"0.005\"} 1",
        "guildgate_store_seconds_count 1",
        "guildgate_guilds 5",
        "guildgate_questions 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in\n{text}"
        );
    }
    drop(held);
    assert!(metrics.encode().contains("guildgate_questions 0"));
}

#[test]
fn the_docs_table_is_the_codes_table() {
    crate::docs::assert_current("metrics.md", &markdown());
}

/// Errors send people to figures by their names.
#[test]
fn an_error_names_a_figure_that_there_is() {
    let told = crate::upstream::SendError::NoSuchShard(7).to_string();
    let named = told.split('`').nth(1).expect("a name");
    let there = TABLE
        .iter()
        .any(|row| named.strip_prefix("guildgate_") == Some(row.name));
    assert!(there, "{told}");
}
