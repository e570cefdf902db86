//! The goals as bars: how much better or worse than wanted each figure is, on a scale of doublings.

use std::fmt::Write as _;

use super::{Goal, number};

/// The heights and widths, in pixels.
const ROW: usize = 22;
const TOP: usize = 34;
const NAMES: f64 = 430.0;
const BARS: f64 = 360.0;
const FIGURES: f64 = 230.0;

/// Doublings that fit to the left and to the right of what is wanted; more is cut off.
const WORSE: f64 = 2.0;
const BETTER: f64 = 4.0;

pub(super) fn of(goals: &[Goal]) -> String {
    let (width, height) = (NAMES + BARS + FIGURES, TOP + ROW * goals.len() + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>Figures beside what is wanted of them</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    scale(&mut svg, height);
    for (at, goal) in goals.iter().enumerate() {
        row(&mut svg, TOP + ROW * at, goal);
    }
    svg + "</svg>\n"
}

/// A line for every doubling, and a thick one for what is wanted.
fn scale(svg: &mut String, height: usize) {
    let mut doublings = -WORSE;
    while doublings <= BETTER {
        let (x, wide) = (place(doublings), if doublings == 0.0 { 2 } else { 1 });
        let label = match doublings {
            0.0 => "as wanted".to_owned(),
            less if less < 0.0 => format!("1/{:.0}", (-less).exp2()),
            more => format!("{:.0}x", more.exp2()),
        };
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"16\" text-anchor=\"middle\" fill=\"#555\">{label}</text>\n\
             <line x1=\"{x}\" y1=\"22\" x2=\"{x}\" y2=\"{height}\" stroke=\"#999\" \
             stroke-width=\"{wide}\"/>"
        );
        doublings += 1.0;
    }
}

fn row(svg: &mut String, y: usize, goal: &Goal) {
    let end = place(goal.margin().log2());
    let (from, width) = (end.min(place(0.0)), (end - place(0.0)).abs().max(1.0));
    let colour = if goal.holds { "#2a7d46" } else { "#b3261e" };
    let text = y + 14;
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{text}\" text-anchor=\"end\">{}</text>\n\
         <rect x=\"{from:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"14\" fill=\"{colour}\"/>\n\
         <text x=\"{:.1}\" y=\"{text}\" fill=\"{colour}\">{}, {}</text>",
        NAMES - 8.0,
        escaped(&goal.what),
        y + 3,
        NAMES + BARS + 8.0,
        number(goal.figure),
        goal.bound()
    );
}

/// Where so many doublings are, from the left.
fn place(doublings: f64) -> f64 {
    NAMES + BARS * (doublings.clamp(-WORSE, BETTER) + WORSE) / (WORSE + BETTER)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_well_formed_and_has_a_bar_for_each_goal() {
        let goals = [
            Goal::at_least("rate <a & b>", 2.0, 1.0),
            Goal::at_most("time", 0.0, 1.0),
            Goal::at_most("memory", f64::NAN, 1.0),
        ];
        let chart = of(&goals);
        let parsed = roxmltree::Document::parse(&chart).unwrap();
        let bars = parsed.descendants().filter(|node| node.has_tag_name("rect")).count();
        assert_eq!(bars, 1 + goals.len());
        assert!(parsed.descendants().any(|node| node.text() == Some("rate <a & b>")));
    }

    #[test]
    fn what_is_better_stands_further_to_the_right() {
        assert_eq!(place(0.0), NAMES + BARS / 3.0);
        assert!(place(1.0) > place(0.0) && place(-1.0) < place(0.0));
        assert_eq!(place(100.0), NAMES + BARS);
    }
}
