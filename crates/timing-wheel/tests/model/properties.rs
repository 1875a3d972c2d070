//! Random operation lists, shrunk to the shortest that fails.

use crate::{
    model::Model,
    ops::{Op, When},
};
use proptest::prelude::*;
use timing_wheel::{ArrayWheel, Wheel};

fn when() -> impl Strategy<Value = When> {
    let ticks = (0u32..=63, any::<u64>()).prop_map(|(bits, ticks)| ticks & (u64::MAX >> (63 - bits)));
    prop_oneof![
        8 => ticks.clone().prop_map(When::After),
        1 => ticks.clone().prop_map(When::Before),
        1 => ticks.prop_map(|ticks| When::At(u64::MAX - ticks)),
        1 => Just(When::At(u64::MAX)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => when().prop_map(Op::Start),
        4 => (any::<u64>(), when()).prop_map(|(pick, when)| Op::Rearm(pick, when)),
        2 => any::<u64>().prop_map(Op::Cancel),
        1 => any::<u64>().prop_map(Op::Remove),
        1 => any::<u64>().prop_map(Op::Stale),
        3 => when().prop_map(Op::Advance),
        1 => Just(Op::AdvanceToBound),
        1 => Just(Op::AdvanceToExact),
        4 => (0usize..8).prop_map(Op::Pop),
        2 => (0usize..80, 0usize..80).prop_map(|(max, take)| Op::Poll(max, take)),
        1 => Just(Op::Drain),
        1 => any::<u64>().prop_map(Op::Change),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn growing_wheel_matches_the_model(now in any::<u64>(), ops in prop::collection::vec(op(), 1..200)) {
        let mut model = Model::new(Wheel::new(now));
        for op in ops {
            model.apply(op);
        }
        model.finish();
    }

    #[test]
    fn array_wheel_matches_the_model(now in any::<u64>(), ops in prop::collection::vec(op(), 1..200)) {
        let mut model = Model::new(ArrayWheel::<u64, 5>::new(now));
        for op in ops {
            model.apply(op);
        }
        model.finish();
    }
}
