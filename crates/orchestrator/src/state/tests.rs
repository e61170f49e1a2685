use super::*;

fn every_state() -> Vec<SandboxState> {
    use SandboxState as S;
    let cause = StopCause::Idle;
    vec![
        S::Starting,
        S::Running,
        S::Paused,
        S::Stopping { cause },
        S::Hibernated { cause },
        S::Stopped { cause },
        S::Archived,
        S::Suspended { reason: "miner".to_owned() },
        S::Failed { error: "no memory".to_owned() },
        S::Deleting,
        S::Deleted,
    ]
}

fn every_change() -> Vec<SandboxChange> {
    use SandboxChange as C;
    let cause = StopCause::Asked;
    vec![
        C::StartBegan,
        C::BecameReady,
        C::StartFailed { error: "no memory".to_owned() },
        C::Froze,
        C::Thawed,
        C::StopBegan { cause },
        C::Stopped { cause },
        C::Hibernated { cause },
        C::Archived,
        C::Restored,
        C::Suspended { reason: "miner".to_owned() },
        C::Lifted,
        C::DeleteAsked,
        C::Deleted,
    ]
}

#[test]
fn the_whole_table_of_transitions_is_as_written_here() {
    let mut table = String::new();
    for state in every_state() {
        for change in every_change() {
            if let Ok(after) = state.clone().apply(change.clone()) {
                table.push_str(&format!("{} + {} = {}\n", state.name(), change.name(), after.name()));
            }
        }
    }
    assert_eq!(table, include_str!("transitions.txt"), "{table}");
}

#[test]
fn states_read_back_as_written_and_all_names_are_listed() -> Result<(), serde_json::Error> {
    for state in every_state() {
        let text = serde_json::to_string(&state)?;
        assert!(text.contains(&format!("\"state\":\"{}\"", state.name())), "{text}");
        assert_eq!(serde_json::from_str::<SandboxState>(&text)?, state);
        assert!(SandboxState::NAMES.contains(&state.name()));
    }
    assert_eq!(every_state().len(), SandboxState::NAMES.len());
    Ok(())
}

#[test]
fn what_is_repeated_changes_nothing_and_what_is_deleted_stays_so() {
    for state in every_state() {
        for change in every_change() {
            let Ok(after) = state.clone().apply(change.clone()) else { continue };
            if let Ok(again) = after.clone().apply(change.clone()) {
                assert_eq!(again, after, "{} twice", change.name());
            }
            assert!(!state.is_gone() || after.is_gone(), "{} brings back what was deleted", change.name());
        }
    }
}
