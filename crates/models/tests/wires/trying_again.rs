//! Trying again, giving up, being cancelled. No test sleeps: the clock is moved.

use std::time::Duration;

use models::{Delta, ModelError, ModelsConfig, ProviderConfig, Registry};
use runtime::{Ambient, CancellationToken};
use serde_json::json;

use crate::canned::{named, two_calls, words};
use crate::server::{End, Reply, Server};
use crate::{KEY, MODELS, ask, ask_model, hello, open, wire};

fn overloaded() -> Reply {
    Reply::status(
        529,
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).to_string(),
    )
}

fn limited() -> Reply {
    Reply::status(429, &json!({"error": {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}).to_string())
}

#[tokio::test]
async fn overload_is_tried_again_with_growing_waits() {
    for model in MODELS {
        let storm =
            [overloaded(), limited(), Reply::status(503, "<h1>Bad gateway</h1>"), Reply::status(500, "")];
        let server =
            Server::start(storm.into_iter().chain([Reply::stream(&words(wire(model), "at last"))])).await;
        let heard = ask(&server, model, &hello()).await;
        assert_eq!(heard.text(), "||||at last", "{model}");
        assert!(heard.answer.is_ok());
        let steps = [500, 1000, 2000, 4000].map(Duration::from_millis);
        assert_eq!(heard.waits.len(), 4, "{model}");
        for (wait, step) in heard.waits.iter().zip(steps) {
            assert!(*wait >= step / 2 && *wait <= step, "{model}: {wait:?} of {step:?}");
        }
        let causes: Vec<_> = heard
            .deltas
            .iter()
            .filter_map(|delta| match delta {
                Delta::Retry { cause, .. } => Some(cause.as_str()),
                Delta::Text(_) | Delta::Thinking(_) => None,
            })
            .collect();
        assert!(
            causes[0].contains("Overloaded")
                && causes[1].contains("Slow down")
                && causes[2].contains("Bad gateway"),
            "{causes:?}"
        );
    }
}

#[tokio::test]
async fn a_storm_that_does_not_end_is_told_in_the_providers_words() {
    let server = Server::start(std::iter::repeat_n(limited(), 50)).await;
    let heard = ask(&server, MODELS[1], &hello()).await;
    let Err(ModelError::RateLimited { message, .. }) = heard.answer else { panic!("{:?}", heard.answer) };
    assert_eq!(message, "Slow down");
    assert_eq!(server.asked().len(), 10);
    assert!(heard.waits.iter().all(|wait| *wait <= Duration::from_secs(30)));
}

#[tokio::test]
async fn the_wait_that_a_provider_asks_for_is_kept() {
    let gemini = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}});
    let cases = [
        (MODELS[0], limited().with_header("retry-after", "7")),
        (MODELS[1], limited().with_header("retry-after", "1").with_header("retry-after-ms", "7000")),
        (MODELS[3], Reply::status(429, &gemini.to_string())),
        (MODELS[3], Reply::status(429, &format!("[{gemini}]"))),
    ];
    for (model, reply) in cases {
        let server = Server::start([reply, Reply::stream(&words(wire(model), "fine"))]).await;
        let heard = ask(&server, model, &hello()).await;
        assert!(heard.answer.is_ok(), "{model}");
        let wait = heard.waits[0];
        assert!(wait >= Duration::from_secs(7) && wait < Duration::from_millis(7500), "{model}: {wait:?}");
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let server = Server::start([limited().with_header("retry-after", "3600")]).await;
    let answer = ask(&server, MODELS[0], &hello()).await.answer;
    assert!(
        matches!(answer, Err(ModelError::RateLimited { retry_after_ms: Some(3_600_000), .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_stream_that_is_cut_is_asked_for_again() {
    for model in MODELS {
        let whole = two_calls(wire(model), r#"{"command":"x"}"#);
        for end in [End::Cut, End::Proper] {
            // Cut before the end of the answer, in the middle of an event and between two.
            for share in [3, 2] {
                let half = whole.char_indices().nth(whole.chars().count() / share).unwrap().0;
                let cut = Reply::stream(&whole[..half]).ending(end);
                let server = Server::start([cut, Reply::stream(&whole)]).await;
                let heard = ask(&server, model, &hello()).await;
                assert_eq!(heard.answer.unwrap().parts.len(), 4, "{model} {end:?}");
                assert_eq!(server.asked().len(), 2, "{model} {end:?}");
                assert_eq!(server.asked()[0].body, server.asked()[1].body);
            }
        }
    }
}

#[tokio::test]
async fn an_overload_in_mid_stream_is_tried_again() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let failed = json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Sorry"}}});
    let cases = [
        (MODELS[0], named(&[error])),
        (MODELS[1], named(&[failed])),
        (MODELS[2], "data: {\"error\":{\"code\":502,\"message\":\"Upstream\"}}\n\n".to_owned()),
        (MODELS[3], "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded\",\"status\":\"UNAVAILABLE\"}}\n\n".to_owned()),
    ];
    for (model, stream) in cases {
        let server =
            Server::start([Reply::stream(&stream), Reply::stream(&words(wire(model), "fine"))]).await;
        let heard = ask(&server, model, &hello()).await;
        assert_eq!(heard.text(), "|fine", "{model}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_told_after_a_few_tries() {
    let server = Server::start([]).await;
    let address = server.url();
    drop(server);
    let provider =
        ProviderConfig { key: Some(KEY.into()), base_url: Some(address.clone()), thinking_tokens: None };
    let (ambient, clock) = Ambient::mock(1);
    let config = ModelsConfig { anthropic: provider, ..ModelsConfig::default() };
    let model = Registry::new(config, ambient).unwrap().open(MODELS[0]).unwrap();
    let heard = ask_model(&*model, &clock, &hello()).await;
    let Err(ModelError::Unreachable { message, .. }) = heard.answer else { panic!("{:?}", heard.answer) };
    assert!(message.contains(&address), "{message}");
    assert_eq!(heard.waits.len(), 4);
}

#[tokio::test]
async fn cancelling_in_mid_stream_closes_the_connection() {
    for model in MODELS {
        let whole = two_calls(wire(model), r#"{"command":"x"}"#);
        let half: String = whole.chars().take(whole.chars().count() / 2).collect();
        let server = Server::start([Reply::stream(&half).ending(End::Hang)]).await;
        let (opened, _clock) = open(&server, model);
        let cancel = CancellationToken::new();
        // The first piece of the answer cancels it.
        let hear = |_| cancel.cancel();
        let answer = opened.ask(&hello(), &hear, cancel.clone()).await;
        assert_eq!(answer, Err(ModelError::Cancelled), "{model}");
        server.wait_until_closed().await;
    }
}

#[tokio::test]
async fn cancelling_while_waiting_for_the_next_try_ends_at_once() {
    let server = Server::start([overloaded()]).await;
    let (opened, clock) = open(&server, MODELS[0]);
    let (request, cancel) = (hello(), CancellationToken::new());
    let asked = opened.ask(&request, &|_| {}, cancel.clone());
    let canceller = async {
        clock.wait_for_sleepers(1).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(asked, canceller);
    assert_eq!(answer, Err(ModelError::Cancelled));
    assert_eq!(server.asked().len(), 1);
}
