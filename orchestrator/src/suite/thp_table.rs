//! The tables of `benchmark_thp_migration`, the benchmark among the kernel's own HMM selftests.
//!
//! ```text
//! === Single THP Size (2.0 MB) ===
//!                      | With THP        | Without THP     | Improvement
//! ---------------------------------------------------------------------
//! Sys->Dev Migration   | 39.374 ms        | 83.961 ms        | 53.1%
//! ```
//!
//! Only the times are read: throughput and improvement follow from them, with fewer digits.

/// Bytes of a page.
const PAGE: f64 = 4096.0;

/// One time of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    /// `to-device.thp-2M`: operation, memory and size as the metrics of our own benchmark name them.
    pub name: String,
    /// Pages moved.
    pub pages: u64,
    /// Nanoseconds, the mean of five.
    pub ns: u64,
}

/// All times of the tables in a test's output. A line of the kernel's own in the middle of a table is passed over.
pub(super) fn times(output: &str) -> Vec<Time> {
    let mut size = None;
    let mut times = Vec::new();
    for line in output.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix("=== ").and_then(|rest| rest.strip_suffix(" ===")) {
            size = mebibytes(title);
            continue;
        }
        let Some(size) = size else { continue };
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [row, with, without, _] = columns.as_slice() else { continue };
        let operation = match *row {
            "Sys->Dev Migration" => "to-device",
            "Dev->Sys Migration" => "to-system",
            _ => continue,
        };
        for (memory, text) in [("thp", with), ("present", without)] {
            if let Some(ns) = nanoseconds(text) {
                let pages = (size * 1024.0 * 1024.0 / PAGE) as u64;
                times.push(Time { name: format!("{operation}.{memory}-{}", short(size)), pages, ns });
            }
        }
    }
    times
}

/// The size in `Single THP Size (2.0 MB)`; those of the benchmark lie between half a MiB and a few hundred.
fn mebibytes(title: &str) -> Option<f64> {
    let size = title.rsplit_once('(')?.1.strip_suffix(" MB)")?.parse::<f64>().ok()?;
    (size.is_finite() && (0.004..=65536.0).contains(&size)).then_some(size)
}

/// A finite time; the benchmark prints `inf` and `nan` when a clock did not move.
fn nanoseconds(text: &str) -> Option<u64> {
    let ms = text.strip_suffix(" ms")?.parse::<f64>().ok()?;
    (ms.is_finite() && ms > 0.0 && ms < 1e9).then_some((ms * 1e6) as u64)
}

fn short(mebibytes: f64) -> String {
    if mebibytes >= 1.0 { format!("{mebibytes}M") } else { format!("{}K", mebibytes * 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_the_rest_is_not() {
        let output = "\
=== Small Buffer (0.5 MB) ===
                     | With THP        | Without THP     | Improvement
---------------------------------------------------------------------
Sys->Dev Migration   | inf ms        | 2.5 ms        | 53.1%
[   12.345678] some driver says | something
Dev->Sys Migration   | 6.912 ms        | nan ms        | 67.1%
S->D Throughput      | 0.05 GB/s      | 0.02 GB/s      | 113.2%

=== One twenty eight THP Size (256.0 MB) ===
Sys->Dev Migration   | 39.374 ms        | 83.961 ms        | 53.1%
";
        let told: Vec<(String, u64, u64)> =
            times(output).into_iter().map(|time| (time.name, time.pages, time.ns)).collect();
        let expected = [
            ("to-device.present-512K", 128, 2_500_000),
            ("to-system.thp-512K", 128, 6_912_000),
            ("to-device.thp-256M", 65536, 39_374_000),
            ("to-device.present-256M", 65536, 83_961_000),
        ];
        assert_eq!(told, expected.map(|(name, pages, ns)| (name.to_owned(), pages, ns)));
    }

    #[test]
    fn nonsense_is_no_time() {
        assert!(times("=== A (x MB) ===\nSys->Dev Migration | 1 ms | 1 ms | 0%").is_empty());
        assert!(times("Sys->Dev Migration | 1 ms | 1 ms | 0%").is_empty());
        assert!(times("=== A (1e300 MB) ===\nSys->Dev Migration | -1 ms | 1e99 ms | 0%").is_empty());
        for nothing in ["0 ms", "1e9 ms", "-1 ms", "inf ms", "nan ms", "1 s"] {
            assert_eq!(nanoseconds(nothing), None, "{nothing}");
        }
        for nothing in ["A (0 MB)", "A (65537 MB)", "A (inf MB)", "A (nan MB)"] {
            assert_eq!(mebibytes(nothing), None, "{nothing}");
        }
    }
}
