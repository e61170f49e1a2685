//! Ports, figures, and standing still.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{LONG, Outcome, Subject, eventually};
use crate::error::SandboxError;
use crate::provider::{PortEvent, SandboxProvider, StartProcess, Told};

/// A server that sends back what it gets; says its port.
const ECHO: &str = "import socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
open('port', 'w').write(str(server.getsockname()[1]) + '\\n')
def serve(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)
    connection.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
";

/// Starts [`ECHO`]; gives its port and process.
async fn echo(subject: &Subject, address: &str) -> Result<(u16, crate::Process), Box<dyn std::error::Error>> {
    subject.sandbox.remove("port").await.ok();
    let argv = ["python3", "-c", ECHO, address, "0"].map(str::to_owned).to_vec();
    let process = subject.sandbox.start(StartProcess { argv, ..StartProcess::default() }).await?;
    eventually(|| async { Ok(subject.read("port").await.is_ok_and(|port| port.ends_with('\n'))) }).await?;
    Ok((subject.read("port").await?.trim().parse()?, process))
}

/// A connection reaches what listens inside on either family, carries much both ways at once, and its end.
pub async fn a_port_of_the_sandbox_is_reached(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    for address in ["127.0.0.1", "::1", "0.0.0.0"] {
        let (port, _) = echo(&subject, address).await?;
        let stream = subject.sandbox.connect(port).await?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sent: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
        let mut received = Vec::new();
        let send = async {
            writer.write_all(&sent).await?;
            writer.shutdown().await
        };
        let both = async { tokio::try_join!(send, reader.read_to_end(&mut received)) };
        tokio::time::timeout(LONG, both).await??;
        assert!(received == sent, "{address}: {} bytes", received.len());
    }
    Ok(())
}

/// A port that nobody listens on is told as such.
pub async fn a_port_without_a_listener_is_told(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let free = subject.sandbox.listen(0).await?.port();
    for port in [free, 0] {
        match subject.sandbox.connect(port).await {
            Err(SandboxError::NoPort { port: told }) => assert_eq!(told, port),
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

/// The server can listen inside; processes of the sandbox reach it, and a port is taken once.
pub async fn the_server_listens_inside_the_sandbox(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let listener = subject.sandbox.listen(0).await?;
    assert!(matches!(
        subject.sandbox.listen(listener.port()).await,
        Err(SandboxError::PortTaken { port }) if port == listener.port()
    ));
    let client = format!(
        "import socket; s = socket.create_connection(('127.0.0.1', {})); s.sendall(b'ping'); \
         s.shutdown(socket.SHUT_WR); print(s.recv(100).decode())",
        listener.port()
    );
    let serve = async {
        let mut stream = listener.accept().await?;
        let mut asked = String::new();
        stream.read_to_string(&mut asked).await?;
        stream.write_all(format!("{asked}-pong").as_bytes()).await?;
        Ok::<_, std::io::Error>(())
    };
    let command = format!("python3 -c \"{client}\"");
    let (served, answer) = tokio::join!(serve, subject.sh(&command));
    served?;
    assert_eq!(answer?.1, "ping-pong\n");
    Ok(())
}

/// Ports that open and close are told, and those that are open already.
pub async fn ports_that_open_and_close_are_told(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let (first, _) = echo(&subject, "127.0.0.1").await?;
    let mut events = subject.sandbox.watch_ports().await?;
    wait_for(&mut events, PortEvent { port: first, open: true }).await?;
    let (second, process) = echo(&subject, "127.0.0.1").await?;
    wait_for(&mut events, PortEvent { port: second, open: true }).await?;
    let ports = subject.sandbox.ports().await?;
    assert!(ports.contains(&first) && ports.contains(&second), "{ports:?}");
    subject.sandbox.signal(crate::ProcessRef::Pid(process.pid), 9).await?;
    wait_for(&mut events, PortEvent { port: second, open: false }).await?;
    assert!(!subject.sandbox.ports().await?.contains(&second));
    Ok(())
}

async fn wait_for(events: &mut Told<PortEvent>, wanted: PortEvent) -> Outcome {
    let found = async {
        while let Some(event) = events.next().await {
            if event? == wanted {
                return Ok(());
            }
        }
        Err::<(), Box<dyn std::error::Error>>(format!("{wanted:?} does not come").into())
    };
    tokio::time::timeout(LONG, found).await?
}

/// Figures grow with use and have bounds that make sense.
pub async fn figures_follow_use(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let before = subject.sandbox.metrics().await?;
    subject.sh("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").await?;
    let after = subject.sandbox.metrics().await?;
    assert!(after.cpu_time_us > before.cpu_time_us, "{before:?} {after:?}");
    assert!(after.cpu_used_percent > 0.0 && after.at_ms >= before.at_ms, "{after:?}");
    assert!(after.cpu_count > 0 && after.processes > 0, "{after:?}");
    assert!(after.memory_used_bytes > 0 && after.memory_used_bytes <= after.memory_total_bytes, "{after:?}");
    assert!(after.disk_used_bytes <= after.disk_total_bytes && after.disk_total_bytes > 0, "{after:?}");
    Ok(())
}

/// A frozen sandbox's processes stand still, and go on where they were.
pub async fn a_frozen_sandbox_stands_still(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    match subject.sandbox.freeze().await {
        // A machine without a freezer says so, and that is all that can be asked of it.
        Err(SandboxError::NotOffered { .. } | SandboxError::Unsupported { .. }) => return Ok(()),
        result => result?,
    }
    subject.sandbox.thaw().await?;
    let process = subject
        .sandbox
        .start(StartProcess {
            argv: ["/bin/sh", "-c", "while :; do echo x; sleep 0.01; done"].map(str::to_owned).to_vec(),
            ..StartProcess::default()
        })
        .await?;
    let mut events = subject.sandbox.follow(crate::ProcessRef::Pid(process.pid), false).await?;
    assert!(tokio::time::timeout(LONG, events.next()).await?.is_some());
    subject.sandbox.freeze().await?;
    // What was on its way may still come; then nothing does.
    let silence =
        async { while tokio::time::timeout(Duration::from_millis(300), events.next()).await.is_ok() {} };
    tokio::time::timeout(LONG, silence).await?;
    subject.sandbox.thaw().await?;
    assert!(tokio::time::timeout(LONG, events.next()).await?.is_some());
    Ok(())
}
