use super::*;

fn why() -> Reason {
    Reason::new("test", "because")
}

fn question() -> QuestionId {
    QuestionId::from_uuid(uuid::Uuid::from_u128(1))
}

fn every_state() -> Vec<RunState> {
    use RunState as S;
    vec![
        S::Queued,
        S::Starting,
        S::Running,
        S::Waiting { question: question(), on: WaitingOn::Approval },
        S::Sleeping { until_ms: 1, reason: why() },
        S::Paused { reason: why() },
        S::Succeeded { evidence: Evidence::NoCheck },
        S::Failed { reason: why() },
        S::Cancelled { reason: why() },
        S::BudgetExceeded { reason: why() },
    ]
}

fn every_change() -> Vec<RunChange> {
    use RunChange as C;
    vec![
        C::Claimed,
        C::Ready,
        C::Asked { question: question(), on: WaitingOn::Decision },
        C::Answered,
        C::Slept { until_ms: 2, reason: why() },
        C::Woken,
        C::PauseAsked { reason: why() },
        C::ResumeAsked,
        C::Succeeded { evidence: Evidence::NoCheck },
        C::Failed { reason: why() },
        C::CancelAsked { reason: why() },
        C::BudgetExceeded { reason: why() },
        C::Continued,
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
    assert_eq!(table, include_str!("transitions.txt"));
}

#[test]
fn states_read_back_as_written() -> Result<(), serde_json::Error> {
    for state in every_state() {
        let text = serde_json::to_string(&state)?;
        assert!(text.contains(&format!("\"state\":\"{}\"", state.name())), "{text}");
        assert_eq!(serde_json::from_str::<RunState>(&text)?, state);
    }
    Ok(())
}

#[test]
fn a_finished_run_refuses_everything_but_a_follow_up() {
    for state in every_state().into_iter().filter(RunState::is_terminal) {
        for change in every_change() {
            let allowed = matches!(change, RunChange::Continued)
                || matches!((&state, &change), (RunState::Cancelled { .. }, RunChange::CancelAsked { .. }));
            assert_eq!(state.clone().apply(change).is_ok(), allowed);
        }
    }
}
