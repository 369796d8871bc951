//! `cargo xtask sample-orders`: a made-up file of orders, of the shape that `demo --orders` reads.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::run::Outcome;

const PATH: &str = "examples/sample-orders.csv";

/// Arguments of `cargo xtask sample-orders`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SampleArgs {
    /// Orders.
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    orders: u64,
    /// Days over which they are spread, from 1997-01-01 on.
    #[arg(long, default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=700))]
    days: u64,
    /// Decides everything else.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write [default: examples/sample-orders.csv].
    #[arg(long, value_name = "FILE")]
    out: Option<std::path::PathBuf>,
    /// Compare only, and fail where the file differs.
    #[arg(long)]
    check: bool,
}

impl SampleArgs {
    /// Checks the file that is part of the repository.
    pub(crate) const CHECK: Self =
        Self { orders: 1_500, days: 45, seed: 1, out: None, check: true };
}

/// Writes or checks the file.
pub(crate) fn run(root: &Path, args: &SampleArgs) -> Result<Outcome> {
    let path = args.out.clone().unwrap_or_else(|| root.join(PATH));
    let text = render(args);
    if args.check {
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        return Ok(if known == text { Outcome::Passed } else { Outcome::Failed(1) });
    }
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("wrote {} orders to {}", args.orders, path.display());
    Ok(Outcome::Passed)
}

/// `SplitMix64`: the same numbers on every machine and for all time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn render(args: &SampleArgs) -> String {
    let mut numbers = Numbers(args.seed);
    let customers = (args.orders / 3).max(1);
    let mut text = "order_id,customer_id,ordered_on,quantity,amount_minor,currency\n".to_owned();
    for number in 1..=args.orders {
        let customer = numbers.below(customers) + 1;
        // Busier at the beginning, as campaigns are.
        let day = numbers.below(args.days).min(numbers.below(args.days));
        let quantity = numbers.below(4) + 1;
        // Some things are given away.
        let price = if numbers.below(50) == 0 { 0 } else { 499 + numbers.below(2_500) };
        let (date, amount) = (date(day), quantity * price);
        writeln!(text, "ord_{number:07},cus_{customer:06},{date},{quantity},{amount},USD")
            .expect("writing to a string");
    }
    text
}

/// A day of 1997 or 1998, counted from the first; neither was a leap year.
fn date(mut day: u64) -> String {
    let mut year = 1997;
    loop {
        for (month, length) in
            [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
        {
            if day < length {
                return format!("{year}-{:02}-{:02}", month + 1, day + 1);
            }
            day -= length;
        }
        year += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let dates = [0, 30, 31, 59, 364, 365, 699].map(date);
        let expected = [
            "1997-01-01",
            "1997-01-31",
            "1997-02-01",
            "1997-03-01",
            "1997-12-31",
            "1998-01-01",
            "1998-12-01",
        ];
        assert_eq!(dates, expected);
    }

    #[test]
    fn the_same_seed_makes_the_same_file() {
        let args = SampleArgs { orders: 50, ..SampleArgs::CHECK };
        assert_eq!(render(&args), render(&args));
        assert_ne!(render(&args), render(&SampleArgs { seed: 2, ..args }));
    }
}
