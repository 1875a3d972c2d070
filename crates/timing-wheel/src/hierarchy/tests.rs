use super::*;
use crate::node::{Node, Upper};

type Records<const N: usize> = ([Node; N], [Link; N], [Upper; N]);

fn records<const N: usize>() -> Records<N> {
    ([Node::EMPTY; N], [Link::EMPTY; N], [Upper::EMPTY; N])
}

fn lists<const N: usize>(records: &mut Records<N>) -> Lists<'_> {
    Lists {
        nodes: &mut records.0,
        links: &mut records.1,
        uppers: &mut records.2,
    }
}

#[test]
fn every_digit_has_its_level() {
    for level in 0..LEVELS {
        let mut slots = Hierarchy::new(0);
        let mut records = records::<1>();
        let lists = &mut lists(&mut records);
        let deadline = 1u64 << (6 * level);
        slots.link(lists, 0, deadline);
        assert_eq!(usize::from(lists.links[0].slot), level * 64 + 1);
        assert_eq!(slots.first_start(), Some(deadline));
        slots.unlink(lists, 0);
        assert_eq!(slots.first_start(), None);
        assert_eq!(slots.levels, 0);
    }
}

#[test]
fn last_tick_hangs_at_the_top_and_starts_at_its_digit() {
    let mut slots = Hierarchy::new(0);
    let mut records = records::<2>();
    let lists = &mut lists(&mut records);
    for index in 0..2 {
        lists.nodes[index as usize].generation = 1;
        slots.link(lists, index, u64::MAX - u64::from(index));
        assert_eq!(usize::from(lists.links[index as usize].slot), 10 * 64 + 15);
    }
    assert_eq!(slots.first_start(), Some(15 << 60));
    assert_eq!(slots.pop(lists, u64::MAX, &mut 1), None);
    assert_eq!(slots.cursor, 15 << 60);
    assert_eq!(slots.pop(lists, u64::MAX, &mut 100), Some(1));
    assert_eq!(slots.cursor, u64::MAX - 1);
    assert_eq!(slots.pop(lists, u64::MAX, &mut 1), Some(0));
    assert_eq!(slots.cursor, u64::MAX);
}

#[test]
fn lone_timer_comes_out_without_a_move() {
    let mut slots = Hierarchy::new(0);
    let mut records = records::<1>();
    let lists = &mut lists(&mut records);
    lists.nodes[0].generation = 1;
    slots.link(lists, 0, 1_000_000);
    assert_eq!(slots.pop(lists, 999_999, &mut 1), None);
    assert_eq!(slots.pop(lists, 1_000_000, &mut 2), Some(0));

    // Pushed back beyond its slot, it may not.
    let mut slots = Hierarchy::new(0);
    slots.link(lists, 0, 1_000_000);
    lists.set_deadline(0, 1 << 40, slots.cursor);
    let mut budget = 100;
    assert_eq!(slots.pop(lists, (1 << 40) - 1, &mut budget), None);
    assert_eq!(slots.pop(lists, 1 << 40, &mut budget), Some(0));
}

#[test]
fn passed_deadline_counts_as_due_at_the_cursor() {
    let mut slots = Hierarchy::new(1000);
    let mut records = records::<1>();
    let lists = &mut lists(&mut records);
    lists.nodes[0].generation = 1;
    slots.link(lists, 0, 3);
    assert_eq!(slots.first_start(), Some(1000));
    assert_eq!(slots.pop(lists, 1000, &mut 1), Some(0));
}

#[test]
fn slots_come_in_the_order_of_their_starts() {
    let mut slots = Hierarchy::new(5);
    let mut records = records::<64>();
    let lists = &mut lists(&mut records);
    for index in 0..64u32 {
        slots.link(lists, index, 5 + (1u64 << index));
    }
    let starts: [u64; 64] = {
        let mut order = slots.slots();
        core::array::from_fn(|_| order.next().map_or(u64::MAX, |slot| slots.start_of(slot)))
    };
    assert!(starts.is_sorted());
    assert_eq!(slots.first_start(), Some(starts[0]));
}

#[test]
fn far_timer_is_near_once_it_is_linked_in_its_epoch() {
    const BOUNDARY: u64 = 1 << 32;
    let mut slots = Hierarchy::new(BOUNDARY - 10);
    let mut records = records::<3>();
    let lists = &mut lists(&mut records);
    let deadlines = [BOUNDARY - 5, BOUNDARY + 100, BOUNDARY + 101];
    for (index, deadline) in (0..).zip(deadlines) {
        lists.nodes[index as usize].generation = 7;
        slots.link(lists, index, deadline);
        assert_eq!(lists.deadline(index, slots.cursor), Some(deadline));
    }
    assert!(lists.nodes.iter().map(|node| node.generation).eq([7, 6, 6]));
    assert_eq!(slots.pop(lists, BOUNDARY - 1, &mut 100), Some(0));
    assert_eq!(slots.pop(lists, BOUNDARY + 100, &mut 100), Some(1));
    assert_eq!(lists.deadline(2, slots.cursor), Some(deadlines[2]));
    assert!(!lists.links[2].far && lists.nodes[2].generation == 7);
}
