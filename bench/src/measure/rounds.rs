//! One run at a time: how long until the first request, and our own time in each round: from the
//! moment when the model's answer is complete to the first byte of the next request.

use crate::figures::{Figure, median, quantile};
use crate::folder::Folder;
use crate::model::{Asked, Model, Play};
use crate::product::Player;

use super::Plan;

const CHAT: Player = Player::Journeyman("openai-chat/bench-model");

/// One run as the model saw it.
struct Played {
    first_request_ms: f64,
    /// Own time after round 1, 2, …
    own_ms: Vec<f64>,
}

/// Start to first request. The first start of a data folder makes the database and is told apart.
pub(super) fn start(plan: &Plan) -> Result<Vec<Figure>, String> {
    let (cold, warm) = play_often(CHAT, 2, plan.runs.max(15))?;
    let bare = play_often(Player::Bare, 2, plan.runs.max(15))?.1;
    let firsts = |played: &[Played]| played.iter().map(|one| one.first_request_ms).collect::<Vec<_>>();
    Ok(vec![
        Figure::new("start to first request, median", median(&firsts(&warm)), "ms").at_most(50.0),
        Figure::new("start to first request, p95", quantile(&firsts(&warm), 0.95), "ms"),
        Figure::new("start to first request, new data folder", cold.first_request_ms, "ms"),
        Figure::new("bare loop: start to first request, median", median(&firsts(&bare)), "ms"),
    ])
}

/// 30 rounds, several times.
pub(super) fn short(plan: &Plan) -> Result<Vec<Figure>, String> {
    let ours = pooled(&play_often(CHAT, 30, plan.runs)?.1);
    let bare = pooled(&play_often(Player::Bare, 30, plan.runs)?.1);
    Ok(vec![
        Figure::new("own time per round, p50", quantile(&ours, 0.5), "ms").at_most(3.0),
        Figure::new("own time per round, p95", quantile(&ours, 0.95), "ms").at_most(8.0),
        Figure::new("bare loop: own time per round, p50", quantile(&bare, 0.5), "ms"),
        Figure::new("bare loop: own time per round, p95", quantile(&bare, 0.95), "ms"),
    ])
}

/// 300 rounds: does a long history make the loop slower?
pub(super) fn long(plan: &Plan) -> Result<Vec<Figure>, String> {
    let ratio = |played: &[Played]| {
        let early: Vec<f64> = played.iter().flat_map(|one| one.own_ms[4..15].to_vec()).collect();
        let late: Vec<f64> = played.iter().flat_map(|one| one.own_ms[289..].to_vec()).collect();
        (median(&early), median(&late))
    };
    let runs = plan.runs.div_ceil(2);
    let (early, late) = ratio(&play_often(CHAT, 300, runs)?.1);
    let (bare_early, bare_late) = ratio(&play_often(Player::Bare, 300, runs)?.1);
    Ok(vec![
        Figure::new("own time around round 10 of 300, p50", early, "ms"),
        Figure::new("own time around round 295 of 300, p50", late, "ms"),
        Figure::new("round 295 against round 10", late / early, "times").at_most(1.3),
        Figure::new("bare loop: round 295 against round 10", bare_late / bare_early, "times"),
    ])
}

/// The other providers' APIs.
pub(super) fn wires(plan: &Plan) -> Result<Vec<Figure>, String> {
    let models = ["openai/bench-model", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"];
    let mut figures = Vec::new();
    for model in models {
        let own = pooled(&play_often(Player::Journeyman(model), 30, plan.runs.div_ceil(2))?.1);
        let provider = model.split('/').next().unwrap_or(model);
        figures.push(
            Figure::new(format!("{provider}: own time per round, p50"), median(&own), "ms").at_most(3.0),
        );
        figures.push(
            Figure::new(format!("{provider}: own time per round, p95"), quantile(&own, 0.95), "ms")
                .at_most(8.0),
        );
    }
    Ok(figures)
}

fn pooled(played: &[Played]) -> Vec<f64> {
    played.iter().flat_map(|one| one.own_ms.iter().copied()).collect()
}

/// One run to warm up, and then `runs` on the same data folder, each on a new repository.
fn play_often(player: Player, rounds: u32, runs: u32) -> Result<(Played, Vec<Played>), String> {
    let folder = Folder::new()?;
    let play = |number: u32| play(player, rounds, &folder, number);
    let first = play(0)?;
    let rest = (1..=runs).map(play).collect::<Result<Vec<_>, _>>()?;
    Ok((first, rest))
}

fn play(player: Player, rounds: u32, folder: &Folder, number: u32) -> Result<Played, String> {
    let model = Model::start(Play::rounds(rounds))?;
    let repository = folder.repository(&format!("repository-{number}"))?;
    let begin = player.play(&repository, &folder.path().join("data"), &model)?;

    let written = std::fs::read_to_string(repository.join("f.txt")).unwrap_or_default();
    let expected: String = (1..=rounds).map(|round| format!("round-{round}\n")).collect();
    if written != expected {
        return Err(format!("{player:?} wrote {} of {rounds} lines", written.lines().count()));
    }
    let asked = model.asked();
    let first = asked.first().ok_or("the model was never asked")?;
    Ok(Played {
        first_request_ms: first.arrived.duration_since(begin).as_secs_f64() * 1e3,
        own_ms: own_times(&asked),
    })
}

/// The times between an answer that holds a call and the request after it, of one run.
pub(super) fn own_times(asked: &[Asked]) -> Vec<f64> {
    let pairs = asked.iter().zip(asked.iter().skip(1));
    let own = pairs.filter(|(before, _)| before.round.is_some());
    own.map(|(before, after)| after.arrived.duration_since(before.answered).as_secs_f64() * 1e3).collect()
}
