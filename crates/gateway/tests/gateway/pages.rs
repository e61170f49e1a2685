//! What is shown where there is no server to show.

use gateway::NotThere;

use crate::world::{World, mirror};

const HTML: &str = "Accept: text/html,*/*\r\n";

#[tokio::test]
async fn each_reason_has_its_page_for_people_and_its_problem_for_programs() {
    let world = World::new().await;
    let (_, token) = world.link(3000).await;
    let shown = format!("X-Journeyman-Preview: {token}\r\n");
    for (reason, status, code, words) in [
        (NotThere::Starting, 503, "sandbox_starting", "Starting"),
        (NotThere::Asleep, 503, "sandbox_asleep", "Wake it"),
        (NotThere::Expired, 410, "sandbox_expired", "Rebuild it"),
        (NotThere::Gone, 410, "sandbox_gone", "Gone"),
        (NotThere::NoServer, 502, "no_server", "No server on port 3000"),
        (NotThere::Failed("<b>".to_owned()), 502, "server_failed", "&lt;b&gt;"),
    ] {
        *world.boxes.reason.lock().unwrap() = Some(reason.clone());
        let page = world.get(3000, "/", &(shown.clone() + HTML)).await;
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")) && page.contains(words), "{page}");
        assert!(page.contains("text/html") && page.contains("prefers-color-scheme:dark"), "{page}");
        assert!(!page.contains("<script"), "{page}");
        let problem = world.get(3000, "/", &shown).await;
        assert!(problem.contains("application/problem+json"), "{problem}");
        let body: serde_json::Value =
            serde_json::from_str(problem.split("\r\n\r\n").nth(1).unwrap()).expect("a problem document");
        assert_eq!(
            (body["status"].as_u64(), body["code"].as_str()),
            (Some(status), Some(code)),
            "{reason:?}"
        );
    }
    assert!(world.boxes.connected.lock().unwrap().is_empty());
    assert_eq!(*world.boxes.woken.lock().unwrap(), 0, "looking never wakes");
}

#[tokio::test]
async fn only_the_button_of_the_previews_own_page_wakes_its_sandbox() {
    let world = World::new().await;
    world.serve(3000, mirror().await);
    let (_, token) = world.link(3000).await;
    *world.boxes.reason.lock().unwrap() = Some(NotThere::Asleep);
    let host = world.host(3000);
    let post = |more: String| {
        format!(
            "POST /.journeyman/wake HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n{more}\r\n"
        )
    };
    let shown = format!("X-Journeyman-Preview: {token}\r\n");
    for more in [
        shown.clone(),
        format!("{shown}Origin: http://evil.example\r\n"),
        format!("{shown}Origin: null\r\n"),
        format!("Origin: http://{host}\r\n"),
    ] {
        let said = world.say(post(more)).await;
        assert!(said.starts_with("HTTP/1.1 403 ") || said.starts_with("HTTP/1.1 401 "), "{said}");
    }
    assert_eq!(*world.boxes.woken.lock().unwrap(), 0);
    let said = world.say(post(format!("{shown}Origin: http://{host}\r\n"))).await;
    assert!(said.starts_with("HTTP/1.1 303 ") && said.contains("location: /\r\n"), "{said}");
    assert_eq!(*world.boxes.woken.lock().unwrap(), 1);
    assert!(world.get(3000, "/", &shown).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_server_that_breaks_off_is_told_as_such() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.serve(3000, listener.local_addr().unwrap());
    let (_, token) = world.link(3000).await;
    let breaking = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        crate::world::read_head(&mut stream).await;
    };
    let shown = format!("X-Journeyman-Preview: {token}\r\n");
    let (said, ()) = tokio::join!(world.get(3000, "/", &shown), breaking);
    assert!(said.starts_with("HTTP/1.1 502 ") && said.contains("server_failed"), "{said}");
}
