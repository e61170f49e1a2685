//! The contract that every provider keeps, as functions that a provider's tests call; see [`contract_tests!`].

mod files;
mod machine;
mod processes;
mod shell;
mod started;
mod state;
mod tree;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::SandboxId;
use tempfile::TempDir;

pub use files::*;
pub use machine::*;
pub use processes::*;
pub use shell::*;
pub use started::*;
pub use state::*;
pub use tree::*;

use crate::error::SandboxError;
use crate::provider::{Exec, ExecEnd, Output, Sandbox, SandboxProvider, SandboxSpec, ShellCommand, ShellEnd};

/// What a contract function gives: a failed assertion panics, a failed operation is the error.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Far beyond what any command of these tests needs.
const LONG: Duration = Duration::from_secs(60);

/// Makes a test of each part of the contract; `$provider` makes a provider, where there is one.
#[macro_export]
macro_rules! contract_tests {
    ($provider:expr) => {
        $crate::contract_tests!($provider, where true);
    };
    ($provider:expr, where $is_there:expr) => {
        $crate::contract_tests!(@each $provider, $is_there,
            a_file_reads_back_as_written,
            a_file_that_is_replaced_keeps_its_mode,
            a_file_is_read_in_pieces,
            what_cannot_be_read_says_why,
            a_large_file_comes_back_whole,
            a_search_honours_gitignore_and_follows_no_link,
            a_search_says_when_there_is_more,
            a_pattern_that_does_not_parse_is_refused,
            a_listing_gives_the_newest_first,
            a_program_ends_with_its_exit_code,
            a_program_gets_directory_environment_and_input,
            a_program_that_is_not_there_cannot_start,
            a_program_whose_time_is_up_is_killed,
            large_input_to_a_program_that_answers_does_not_hang,
            output_comes_whole_and_in_its_stream,
            huge_output_takes_no_memory,
            a_program_dies_with_its_caller,
            the_shell_keeps_directory_and_exports,
            the_shell_takes_any_text,
            a_long_command_line_works,
            the_shell_comes_back_after_exit,
            a_failing_command_under_set_e_keeps_the_state,
            a_command_whose_time_is_up_goes_no_further,
            a_shell_that_loops_by_itself_is_replaced,
            a_background_child_does_not_delay_the_end,
            commands_of_the_shell_wait_for_each_other,
            a_command_whose_caller_leaves_is_stopped,
            a_background_process_runs_where_the_shell_is,
            background_processes_that_end_leave_the_list,
            a_new_sandbox_on_the_same_state_goes_on,
            lost_background_processes_are_told,
            the_base_of_the_workspace_is_not_changed,
            the_environment_is_added_to,
            stopping_twice_is_the_same_as_stopping_once,
            what_nobody_keeps_is_reaped,
            a_started_process_is_followed_by_any_number,
            a_started_process_takes_input_and_outlives_its_followers,
            a_signal_reaches_the_group_and_a_kill_everything,
            an_unknown_process_is_told,
            a_terminal_is_one,
            a_slow_follower_misses_output_and_is_told,
            a_child_that_stays_does_not_delay_the_end,
            a_file_tells_what_it_is,
            a_folder_is_listed_as_deep_as_asked,
            folders_are_made_renamed_and_removed,
            a_removal_follows_no_link_that_is_put_in_its_way,
            names_that_are_no_text_are_kept,
            a_watch_tells_what_happens,
            a_flood_of_changes_is_told_as_missed,
            a_download_is_whole_or_a_range,
            an_upload_is_whole_or_nothing,
            a_port_of_the_sandbox_is_reached,
            a_port_without_a_listener_is_told,
            the_server_listens_inside_the_sandbox,
            ports_that_open_and_close_are_told,
            figures_follow_use,
            a_frozen_sandbox_stands_still,
        );
    };
    (@each $provider:expr, $is_there:expr, $($name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> $crate::contract::Outcome {
                if $is_there { $crate::contract::$name(&$provider).await } else { Ok(()) }
            }
        )*
    };
}

/// An id that no other sandbox of this machine's test runs has.
#[must_use]
pub fn new_id() -> SandboxId {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = format!("{}{:016x}{number:016x}", SandboxId::PREFIX, std::process::id());
    match text.parse() {
        Ok(id) => id,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// A new sandbox with the default limits on `state_dir`.
#[must_use]
pub fn spec(state_dir: &Path) -> SandboxSpec {
    SandboxSpec::new(new_id(), state_dir)
}

/// A sandbox with a state folder of its own.
pub struct Subject {
    /// The sandbox.
    pub sandbox: Arc<dyn Sandbox>,
    /// Its state.
    pub state: TempDir,
}

impl Subject {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Those of the provider.
    pub async fn new(provider: &dyn SandboxProvider) -> Result<Self, Box<dyn std::error::Error>> {
        let state = tempfile::tempdir()?;
        let sandbox = provider.create(spec(&state.path().join("state"))).await?;
        Ok(Self { sandbox, state })
    }

    /// Runs a command line in the persistent shell; gives its end and all output as text.
    ///
    /// # Errors
    ///
    /// Those of the sandbox.
    pub async fn shell(&self, command: &str) -> Result<(ShellEnd, String), SandboxError> {
        shell_within(&*self.sandbox, command, LONG).await
    }

    /// Runs a command line with `/bin/sh -c`; gives its end and all output as text.
    ///
    /// # Errors
    ///
    /// Those of the sandbox.
    pub async fn sh(&self, command: &str) -> Result<(ExecEnd, String), SandboxError> {
        let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
        exec(&*self.sandbox, Exec { argv, timeout: Some(LONG), ..Exec::default() }).await
    }

    /// Writes a text file.
    ///
    /// # Errors
    ///
    /// Those of the sandbox.
    pub async fn write(&self, path: &str, text: &str) -> Result<(), SandboxError> {
        self.sandbox.write(path, text.as_bytes().to_vec()).await.map(drop)
    }

    /// Reads a text file.
    ///
    /// # Errors
    ///
    /// Those of the sandbox.
    pub async fn read(&self, path: &str) -> Result<String, SandboxError> {
        let read = self.sandbox.read(path, 0, 1 << 20).await?;
        Ok(String::from_utf8_lossy(&read.bytes).into_owned())
    }
}

/// Runs a command line in the persistent shell; gives its end and all output as text.
///
/// # Errors
///
/// Those of the sandbox.
pub async fn shell_within(
    sandbox: &dyn Sandbox,
    command: &str,
    timeout: Duration,
) -> Result<(ShellEnd, String), SandboxError> {
    let text = Collected::default();
    let command = ShellCommand { command: command.to_owned(), timeout };
    let end = sandbox.shell(command, &|piece| text.add(piece)).await?;
    Ok((end, text.take()))
}

/// Runs a program; gives its end and all output as text.
///
/// # Errors
///
/// Those of the sandbox.
pub async fn exec(sandbox: &dyn Sandbox, command: Exec) -> Result<(ExecEnd, String), SandboxError> {
    let text = Collected::default();
    let end = sandbox.exec(command, &|piece| text.add(piece)).await?;
    Ok((end, text.take()))
}

/// Asks again until `check` holds; fails after a long time.
async fn eventually<F: Future<Output = Result<bool, SandboxError>>>(check: impl Fn() -> F) -> Outcome {
    let attempts = async {
        while !check().await? {
            tokio::task::yield_now().await;
        }
        Ok::<(), SandboxError>(())
    };
    Ok(tokio::time::timeout(LONG, attempts).await??)
}

#[derive(Default)]
struct Collected(Mutex<Vec<u8>>);

impl Collected {
    fn add(&self, piece: Output<'_>) {
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) = piece;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    fn take(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}
