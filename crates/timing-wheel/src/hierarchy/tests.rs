use super::*;
use crate::node::Node;

#[test]
fn every_digit_has_its_level() {
    for level in 0..LEVELS {
        let mut slots = Hierarchy::new(0);
        let (mut nodes, mut links) = ([Node::EMPTY], [Link::EMPTY]);
        let lists = &mut Lists {
            nodes: &mut nodes,
            links: &mut links,
        };
        let deadline = 1u64 << (6 * level);
        slots.link(lists, 0, deadline);
        assert_eq!(usize::from(lists.nodes[0].slot), level * 64 + 1);
        assert_eq!(slots.first_start(), Some(deadline));
        slots.unlink(lists, 0);
        assert_eq!(slots.first_start(), None);
        assert_eq!(slots.levels, 0);
    }
}

#[test]
fn last_tick_hangs_at_the_top_and_starts_at_its_digit() {
    let mut slots = Hierarchy::new(0);
    let (mut nodes, mut links) = ([Node::EMPTY; 2], [Link::EMPTY; 2]);
    let lists = &mut Lists {
        nodes: &mut nodes,
        links: &mut links,
    };
    for index in 0..2 {
        lists.nodes[index as usize].generation = 1;
        slots.link(lists, index, u64::MAX - u64::from(index));
        assert_eq!(usize::from(lists.nodes[index as usize].slot), 10 * 64 + 15);
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
    let (mut nodes, mut links) = ([Node::EMPTY], [Link::EMPTY]);
    let lists = &mut Lists {
        nodes: &mut nodes,
        links: &mut links,
    };
    lists.nodes[0].generation = 1;
    slots.link(lists, 0, 1_000_000);
    assert_eq!(slots.pop(lists, 999_999, &mut 1), None);
    assert_eq!(slots.pop(lists, 1_000_000, &mut 2), Some(0));

    // Pushed back beyond its slot, it may not.
    let mut slots = Hierarchy::new(0);
    slots.link(lists, 0, 1_000_000);
    lists.nodes[0].deadline = 1 << 40;
    let mut budget = 100;
    assert_eq!(slots.pop(lists, (1 << 40) - 1, &mut budget), None);
    assert_eq!(slots.pop(lists, 1 << 40, &mut budget), Some(0));
}

#[test]
fn passed_deadline_counts_as_due_at_the_cursor() {
    let mut slots = Hierarchy::new(1000);
    let (mut nodes, mut links) = ([Node::EMPTY], [Link::EMPTY]);
    let lists = &mut Lists {
        nodes: &mut nodes,
        links: &mut links,
    };
    slots.link(lists, 0, 3);
    assert_eq!(slots.first_start(), Some(1000));
    lists.nodes[0].generation = 1;
    assert_eq!(slots.pop(lists, 1000, &mut 1), Some(0));
}

#[test]
fn slots_come_in_the_order_of_their_starts() {
    let mut slots = Hierarchy::new(5);
    let (mut nodes, mut links) = ([Node::EMPTY; 64], [Link::EMPTY; 64]);
    let lists = &mut Lists {
        nodes: &mut nodes,
        links: &mut links,
    };
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
