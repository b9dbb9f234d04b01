//! What stands in for the histograms of openraft: its tables took a third of an idle node's memory.

use base2histogram::Histogram;

#[test]
fn every_value_is_counted_in_its_power_of_two() {
    let mut histogram = Histogram::<()>::new();
    assert_eq!((histogram.total(), histogram.percentile_stats().p99), (0, 0));
    for value in [0, 1, 2, 3, 4, u64::MAX] {
        histogram.record(value);
    }
    histogram.record_n(1_000, 94);
    let stats = histogram.percentile_stats();
    assert_eq!((histogram.total(), stats.samples), (100, 100));
    assert_eq!((stats.p1, stats.p5, stats.p50, stats.p99), (0, 7, 1_023, 1_023));
    assert_eq!(stats.p99_9, u64::MAX);
}

/// One that shares tables with all others would be smaller than its own counts.
#[test]
fn it_holds_its_counts_and_no_tables() {
    assert_eq!(size_of::<Histogram>(), 65 * 8);
}
