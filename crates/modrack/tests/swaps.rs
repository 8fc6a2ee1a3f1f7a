//! The life of what fills a slot, over a shared library and a component that are edited on disk while the rack runs: the
//! cases of `life`, each a test here. The runtime's own tests have every step fail besides.
#![cfg(all(feature = "native", feature = "wasm"))]

mod life;

/// A test of each case that is named, and one that none is missing.
macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let case = life::CASES.iter().find(|case| case.name == stringify!($name));
                case.expect("the table has it").run();
            }
        )*

        #[test]
        fn every_case_is_a_test() {
            let named = [$(stringify!($name)),*];
            assert!(life::CASES.iter().map(|case| case.name).eq(named));
        }
    };
}

tests! {
    an_edit_comes_in_with_the_state_of_what_it_replaces
    what_is_broken_stays_out_and_what_served_serves_on
    a_probe_that_is_answered_wrong_keeps_a_module_out
    a_rollback_goes_back_with_the_state
    a_shutdown_that_fails_is_told_and_changes_nothing
    a_call_past_the_drain_is_ended_where_it_can_be_and_waited_for_elsewhere
    what_fails_its_trial_is_taken_back_by_itself
    slots_are_swapped_side_by_side_and_a_rack_that_is_stopped_meanwhile_starts_nothing
    a_million_calls_and_200_swaps_lose_no_count_and_show_no_mixture
}
