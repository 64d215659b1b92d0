//! Medians over the rounds, and what hooklog is of the bare pipe.

use super::round::Measured;
use serde::Serialize;

/// All rounds of both, their medians and the ratios.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pipe: Vec<Measured>,
    hooklog: Vec<Measured>,
    pipe_median: Option<Measured>,
    hooklog_median: Option<Measured>,
    ratios: Option<Ratios>,
}

/// The median of the rounds' ratios: each hooklog round over the pipe round before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Ratios {
    delivered_rate: f64,
    recorded_rate: f64,
    accept_p50: f64,
    accept_p99: f64,
    cpu_per_event: f64,
}

impl Summary {
    /// Of rounds that were run in turn.
    pub(crate) fn of(pipe: &[Measured], hooklog: &[Measured]) -> Self {
        Self {
            pipe: pipe.to_vec(),
            hooklog: hooklog.to_vec(),
            pipe_median: medians(pipe),
            hooklog_median: medians(hooklog),
            ratios: ratios(pipe, hooklog),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        for (name, median) in [("pipe", self.pipe_median), ("hooklog", self.hooklog_median)] {
            if let Some(median) = median {
                lines.push(format!("median  {name:8} {median}"));
            }
        }
        if let Some(ratios) = self.ratios {
            lines.push(format!(
                "hooklog/pipe: delivered/s {:.2}, recorded/s {:.2}, accept p50 {:.2}, accept p99 {:.2}, cpu/event {:.2}",
                ratios.delivered_rate,
                ratios.recorded_rate,
                ratios.accept_p50,
                ratios.accept_p99,
                ratios.cpu_per_event
            ));
        }
        lines.join("\n")
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

fn medians(rounds: &[Measured]) -> Option<Measured> {
    let of = |field: fn(&Measured) -> f64| median(rounds.iter().map(field).collect());
    Some(Measured {
        delivered_per_second: of(|round| round.delivered_per_second)?,
        recorded_per_second: of(|round| round.recorded_per_second)?,
        accept_p50_us: of(|round| round.accept_p50_us)?,
        accept_p99_us: of(|round| round.accept_p99_us)?,
        cpu_us_per_event: of(|round| round.cpu_us_per_event)?,
        rss_peak_mb: of(|round| round.rss_peak_mb)?,
    })
}

fn ratios(pipe: &[Measured], hooklog: &[Measured]) -> Option<Ratios> {
    let of = |field: fn(&Measured) -> f64| {
        let pairs = pipe.iter().zip(hooklog);
        median(
            pairs
                .map(|(pipe, hooklog)| field(hooklog) / field(pipe))
                .collect(),
        )
    };
    Some(Ratios {
        delivered_rate: of(|round| round.delivered_per_second)?,
        recorded_rate: of(|round| round.recorded_per_second)?,
        accept_p50: of(|round| round.accept_p50_us)?,
        accept_p99: of(|round| round.accept_p99_us)?,
        cpu_per_event: of(|round| round.cpu_us_per_event)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(rate: f64) -> Measured {
        Measured {
            delivered_per_second: rate,
            recorded_per_second: rate / 2.0,
            accept_p50_us: 1.0,
            accept_p99_us: 2.0,
            cpu_us_per_event: 100.0,
            rss_peak_mb: 1.0,
        }
    }

    #[test]
    fn ratios_pair_each_round_with_the_pipe_before_it() {
        let pipe = [round(100.0), round(1_000.0), round(10.0)];
        let hooklog = [round(70.0), round(800.0), round(9.0)];
        let ratios = ratios(&pipe, &hooklog).unwrap();
        assert!((ratios.delivered_rate - 0.8).abs() < 1e-9);
        assert!((ratios.cpu_per_event - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_rounds_there_is_nothing_to_tell() {
        assert_eq!(Summary::of(&[], &[]).text(), "");
        assert_eq!(median(vec![1.0, 3.0]), Some(2.0));
    }
}
