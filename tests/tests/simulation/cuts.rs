//! One visit, cut at its steps: a part of them in every build, each of them by `simulate --cuts … --stride 1`.

use callout_tests::simulation::{Cut, Cuts, cut_everywhere, seal_cut_everywhere};

#[track_caller]
fn holds(cut: Cut, seed: u64, stride: u64) -> Cuts {
    cut_everywhere(cut, seed, None, stride).unwrap_or_else(|what| panic!("{what}"))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod storage {
    use super::{Cut, cut_everywhere, holds, seal_cut_everywhere};

    #[test]
    fn power_lost_at_any_write_or_sync_of_the_phone_loses_nothing_that_was_told() {
        let cuts = holds(Cut::PhonePower, 1, 29);
        assert!(cuts.visits > 8 && cuts.failures.phone_power > 0, "{cuts:?}");
    }

    /// What the tests around this one would be worth nothing without.
    #[test]
    fn a_phone_that_does_not_sync_is_noticed() {
        // Here the tester is signed out, whom the phone had told otherwise.
        let noticed = cut_everywhere(Cut::PhonePowerUnsynced, 1, Some(100), 2).unwrap_err();
        assert!(!noticed.contains("panicked"), "{noticed}");
    }

    #[test]
    fn a_full_phone_says_so_loses_nothing_and_goes_on_once_there_is_room() {
        let cuts = holds(Cut::PhoneRoom, 1, 37);
        assert!(cuts.visits > 5 && cuts.failures.phone_full > 0, "{cuts:?}");
    }

    /// Closing the new store on a full medium left a part of it in its log without a word, and the log behind when the store got its
    /// name: an empty phone could never be opened again, and a plain store lost its unsent work by being sealed.
    #[test]
    fn a_sealing_cut_anywhere_loses_nothing() {
        for cut in [Cut::PhonePower, Cut::PhoneRoom] {
            let cuts = seal_cut_everywhere(cut, 1, 3, 7).unwrap_or_else(|what| panic!("{what}"));
            assert!(cuts.visits > 8, "{cut:?}: {cuts:?}");
        }
    }

    #[test]
    fn power_lost_at_any_write_or_sync_of_the_server_does_nothing_twice() {
        let cuts = holds(Cut::ServerPower, 1, 17);
        assert!(cuts.visits > 5 && cuts.failures.server_power > 5, "{cuts:?}");
    }
}

#[test]
fn a_server_killed_at_any_wait_does_nothing_twice() {
    let cuts = holds(Cut::ServerProcess, 1, 1);
    assert!(cuts.failures.servers_killed > 3, "{cuts:?}");
}
