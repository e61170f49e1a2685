//! The beginning of a request is the same bytes from turn to turn.

use std::sync::Arc;

use domain::transcript::{AssistantPart, Message, ToolCall, UserPart};
use serde_json::json;

use crate::canned::words;
use crate::server::{Reply, Server};
use crate::{MODELS, ask_model, open, request, user, wire};

const MARKER: &str = r#","cache_control":{"type":"ephemeral"}"#;

fn round(n: usize) -> [Arc<Message>; 2] {
    let id = format!("call_{n}");
    let call = ToolCall {
        id: id.clone(),
        tool: "bash".into(),
        arguments: json!({"command": format!("echo {n}")}),
        replay: None,
    };
    let text = AssistantPart::Text { text: format!("Round {n}, \"quoted\"."), replay: None };
    let result =
        UserPart::ToolResult { call_id: id, tool: "bash".into(), output: format!("{n}\n"), is_error: false };
    [
        Arc::new(Message::Assistant { parts: vec![text, AssistantPart::ToolCall(call)] }),
        Arc::new(Message::User { parts: vec![result] }),
    ]
}

#[tokio::test]
async fn each_body_begins_with_the_one_before_on_every_wire() {
    for model in MODELS {
        let reply = Reply::stream(&words(wire(model), "fine"));
        let server = Server::start(std::iter::repeat_n(reply, 8)).await;
        let (opened, clock) = open(&server, model);
        let mut request = request(&[user("go")]);
        for n in 0..8 {
            ask_model(&*opened, &clock, &request).await.answer.unwrap();
            request.messages.extend(round(n));
        }
        let bodies: Vec<String> =
            server.asked().into_iter().map(|asked| asked.body.replace(MARKER, "")).collect();
        for pair in bodies.windows(2) {
            let prefix = pair[0].strip_suffix("]}").unwrap();
            assert!(pair[1].starts_with(prefix), "{model}:\n{}\n{}", pair[0], pair[1]);
            assert!(pair[1].len() > pair[0].len());
        }
    }
}

#[tokio::test]
async fn a_kept_conversation_sends_what_a_new_one_would() {
    for model in MODELS {
        let reply = Reply::stream(&words(wire(model), "fine"));
        let server = Server::start(std::iter::repeat_n(reply, 10)).await;
        let (kept, clock) = open(&server, model);
        let [a, b, c] = [round(1), round(2), round(3)].map(Vec::from);
        let start = [user("go")];
        let summary = [user("what came before: much")];
        // Growing, the same again, shortened, compacted, another end.
        let conversations = [
            [&start[..], &a, &b].concat(),
            [&start[..], &a, &b].concat(),
            [&start[..], &a].concat(),
            [&summary[..], &b, &c].concat(),
            [&summary[..], &b, &a].concat(),
        ];
        for messages in conversations {
            let request = request(&messages);
            ask_model(&*kept, &clock, &request).await.answer.unwrap();
            let (fresh, clock) = open(&server, model);
            ask_model(&*fresh, &clock, &request).await.answer.unwrap();
        }
        for pair in server.asked().chunks(2) {
            assert_eq!(pair[0].body, pair[1].body, "{model}");
        }
    }
}
