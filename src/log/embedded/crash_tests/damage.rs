//! Torn tails, flipped bits, zeroed blocks, full disks.

use super::{Batch, History, check, compact, live, open, open_topic, options, read_all, request};
use crate::log::AppendError;
use crate::log::conformance::{append, same, tombstone};
use crate::log::embedded::OpenError;
use crate::log::embedded::fault::{Dice, FaultFiles, Plan};
use crate::log::embedded::options::Options;
use hooklog_schemas::{Offset, Topic};
use std::path::PathBuf;

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_all_before_it_stays() {
    let files = FaultFiles::default();
    let options = Options {
        segment_bytes: 1 << 20,
        ..options()
    };
    let (journal, mut writer) = open(&files, &options).unwrap();
    let mut history = History::default();
    let mut ends = Vec::new();
    for number in 0..3 {
        let batch = vec![append(0, format!("{number}")), append(1, vec![b'x'; 300])];
        let (request, mut reply) = request(&journal, &batch, &mut Dice(number));
        writer.commit(vec![request]);
        let offsets = reply.try_recv().unwrap().unwrap();
        history.batches.push(Batch {
            appends: batch,
            offsets: Some(offsets),
            refused: false,
        });
        ends.push(usize::try_from(journal.view().active.end).unwrap());
    }
    let path = PathBuf::from("/log/webhooks/00000000000000000000.segment");
    let whole = files.content(&path);
    assert_eq!(whole.len(), ends[2]);
    // From the middle of the second group on, everything may be torn.
    for torn in ends[0]..=ends[2] {
        for zeros in [false, true] {
            let mut content = whole[..torn].to_vec();
            content.resize(if zeros { whole.len() + 100 } else { torn }, 0);
            for (index, batch) in history.batches.iter_mut().enumerate() {
                let known = (ends[index] <= torn).then(|| vec![Offset(index as u64); 2]);
                batch.offsets = known;
            }
            let found = files.after_exit();
            found.overwrite(&path, content);
            let checked = check(&found, &options, &history);
            assert_eq!(
                checked,
                Ok(()),
                "torn at byte {torn}, zeros after it: {zeros}"
            );
        }
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let (mut refused_in_all, mut taken_in_all) = (0, 0);
    for seed in 0..20 {
        let space = 1000 + seed * 900;
        let plan = Plan {
            space: Some(space),
            ..Plan::default()
        };
        let files = FaultFiles::with(plan);
        let mut history = History::default();
        live(&files, &options(), seed, &mut history);
        let refused = history.batches.iter().filter(|batch| batch.refused).count();
        let taken = history
            .batches
            .iter()
            .filter(|batch| batch.offsets.is_some())
            .count();
        assert!(
            refused + taken == history.batches.len(),
            "seed {seed}: the log stopped"
        );
        refused_in_all += refused;
        taken_in_all += taken;
        files.plan(Plan::default());
        assert_eq!(
            check(&files.after_exit(), &options(), &history),
            Ok(()),
            "seed {seed}"
        );
    }
    assert!(refused_in_all > 20 && taken_in_all > 20);
}

#[test]
fn any_flipped_bit_is_reported_or_cut_with_the_last_group_and_never_read_as_data() {
    let options = Options {
        segment_bytes: 700,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    let mut sent = Vec::new();
    for number in 0..4 {
        let batch = vec![append(0, format!("body {number}")), append(0, "second")];
        let (request, mut reply) = request(&journal, &batch, &mut Dice(number));
        writer.commit(vec![request]);
        reply.try_recv().unwrap().unwrap();
        sent.extend(batch);
    }
    let paths = files.paths();
    assert!(paths.len() >= 3, "two segments and an index: {paths:?}");
    let (mut refused, mut cut) = (0, 0);
    for path in &paths {
        let whole = files.content(path);
        for bit in 0..whole.len() * 8 {
            let mut content = whole.clone();
            content[bit / 8] ^= 1 << (bit % 8);
            let flipped = files.after_exit();
            flipped.overwrite(path, content);
            let read = open(&flipped, &options).map_err(|error| error.to_string());
            match read.and_then(|(journal, _)| read_all(&journal)) {
                Err(error) => {
                    assert!(
                        error.contains("damaged") || error.contains("format"),
                        "{error}"
                    );
                    refused += 1;
                }
                Ok(found) => {
                    let found = found.into_values().flatten().collect::<Vec<_>>();
                    let context = format!("bit {bit} of {}", path.display());
                    assert!(found.len() + 2 >= sent.len(), "{context} hides records");
                    cut += u32::from(found.len() < sent.len());
                    let mut pairs = found.iter().zip(&sent);
                    assert!(
                        pairs.all(|(record, append)| same(record, append)),
                        "{context}"
                    );
                }
            }
        }
    }
    println!("{refused} flips were refused, {cut} cut the last group");
    assert!(refused > 1000 && cut > 1000);
}

#[test]
fn what_is_zeroed_before_valid_groups_is_refused() {
    let options = Options {
        segment_bytes: 1 << 20,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    for number in 0..6 {
        let (request, _reply) = request(&journal, &[append(0, vec![b'x'; 600])], &mut Dice(number));
        writer.commit(vec![request]);
    }
    let path = PathBuf::from("/log/webhooks/00000000000000000000.segment");
    let whole = files.content(&path);
    for from in (0..whole.len() - 2000).step_by(97) {
        let mut content = whole.clone();
        content[from..from + 512].fill(0);
        let found = files.after_exit();
        found.overwrite(&path, content.clone());
        let error = open(&found, &options).err();
        assert!(
            matches!(error, Some(OpenError::Damaged { .. })),
            "zeros at {from}: {error:?}"
        );
        assert_eq!(found.content(&path), content, "nothing is changed");
    }
}

#[test]
fn webhooks_are_refused_while_the_reserve_is_kept_for_deliveries() {
    let options = Options {
        reserve_bytes: 4 << 20,
        ..options()
    };
    let files = FaultFiles::with(Plan {
        space: Some(3 << 20),
        ..Plan::default()
    });
    let mut outcomes = Vec::new();
    for topic in Topic::ALL {
        let (journal, mut writer) = open_topic(&files, topic, &options).unwrap();
        let (request, mut reply) = request(&journal, &[append(0, "x")], &mut Dice(0));
        writer.commit(vec![request]);
        outcomes.push(reply.try_recv().unwrap());
    }
    assert!(
        matches!(outcomes[0], Err(AppendError::NoSpace(_))),
        "{outcomes:?}"
    );
    assert!(outcomes[1].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
}

#[test]
fn an_erasure_fits_into_the_reserve_also_beside_webhooks_that_do_not() {
    let options = Options {
        reserve_bytes: 4 << 20,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    let secret = append(0, "personal");
    let (first, _) = request(&journal, std::slice::from_ref(&secret), &mut Dice(0));
    writer.commit(vec![first]);
    files.plan(Plan {
        space: Some(3 << 20),
        ..Plan::default()
    });
    std::thread::sleep(std::time::Duration::from_millis(110));
    let stone = tombstone(0, secret.key);
    let (webhook, mut refused) = request(&journal, &[append(0, "x")], &mut Dice(1));
    let (erasure, mut taken) = request(&journal, &[stone], &mut Dice(2));
    writer.commit(vec![webhook, erasure]);
    let refused = refused.try_recv().unwrap();
    assert!(
        matches!(refused, Err(AppendError::NoSpace(_))),
        "{refused:?}"
    );
    assert_eq!(taken.try_recv().unwrap().unwrap(), [Offset(1)]);
    assert_eq!(compact(&journal, &mut writer).unwrap(), 1);
}

#[test]
fn whatever_is_cut_out_or_put_in_is_never_read_as_data() {
    let options = Options {
        segment_bytes: 1200,
        ..options()
    };
    let files = FaultFiles::default();
    let (journal, mut writer) = open(&files, &options).unwrap();
    let mut sent = Vec::new();
    for number in 0..8 {
        let one = append(0, format!("body {number}"));
        let (request, mut reply) = request(&journal, std::slice::from_ref(&one), &mut Dice(number));
        writer.commit(vec![request]);
        reply.try_recv().unwrap().unwrap();
        sent.push(one);
    }
    let paths = files.paths();
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let mut below = |bound: usize| usize::try_from(dice.below(bound as u64)).unwrap();
        let path = &paths[below(paths.len())];
        let mut content = files.content(path);
        let from = below(content.len());
        let end = (from + below(200)).min(content.len());
        let garbage: Vec<u8> = (0..below(200)).map(|_| below(256) as u8).collect();
        content.splice(from..end, garbage);
        let spliced = files.after_exit();
        spliced.overwrite(path, content);
        let read = open(&spliced, &options).map_err(|error| error.to_string());
        if let Ok(found) = read.and_then(|(journal, _)| read_all(&journal)) {
            let mut pairs = found.values().flatten().zip(&sent);
            assert!(
                pairs.all(|(record, append)| same(record, append)),
                "seed {seed}, {}",
                path.display()
            );
        }
    }
}

#[test]
fn the_log_takes_records_again_when_there_is_space_again() {
    let files = FaultFiles::with(Plan {
        space: Some(300),
        ..Plan::default()
    });
    let (journal, mut writer) = open(&files, &options()).unwrap();
    let mut try_it = |number| {
        let (request, mut reply) = request(&journal, &[append(0, "x")], &mut Dice(number));
        writer.commit(vec![request]);
        reply.try_recv().unwrap()
    };
    assert!(matches!(try_it(0), Err(AppendError::NoSpace(_))));
    files.plan(Plan::default());
    assert_eq!(try_it(1).unwrap(), [Offset(0)]);
}
