//! Pictures of a report: bars, as SVG.

use std::fmt::Write as _;

use crate::report::Report;

/// A picture's file name, and the picture.
pub type Picture = (&'static str, String);

/// The pictures of a report of `peers`: what a frame costs, and what a socket at rest costs.
#[must_use]
pub fn peers(report: &Report) -> Vec<Picture> {
    vec![
        (
            "peers-cpu.svg",
            bars(
                "CPU a frame, as a multiple of a bare epoll and send loop's",
                &panels(report, ", ratio"),
                2,
            ),
        ),
        (
            "peers-memory.svg",
            bars(
                "Resident bytes of a socket at rest",
                &panels(report, ", resident at rest"),
                0,
            ),
        ),
    ]
}

/// Bars that are compared with each other.
struct Panel {
    title: String,
    bars: Vec<(String, f64)>,
}

/// Figures are named `measurement: server, what`; those that end in `what`, by measurement.
fn panels(report: &Report, what: &str) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for figure in &report.figures {
        let Some((title, name)) = figure
            .name
            .strip_suffix(what)
            .and_then(|name| name.split_once(": "))
        else {
            continue;
        };
        let bar = (name.to_owned(), figure.value);
        match panels.iter_mut().find(|panel| panel.title == title) {
            // The bare loop stands beside each server, and is 1 beside all of them.
            Some(panel) if panel.bars.iter().any(|(known, _)| known == name) => {}
            Some(panel) => panel.bars.push(bar),
            None => panels.push(Panel {
                title: title.to_owned(),
                bars: vec![bar],
            }),
        }
    }
    for panel in &mut panels {
        panel
            .bars
            .sort_by(|(_, one), (_, other)| one.total_cmp(other));
    }
    panels
}

fn bars(title: &str, panels: &[Panel], digits: usize) -> String {
    let mut body = String::new();
    let mut y = 34;
    for panel in panels {
        y += 26;
        let _ = writeln!(
            body,
            r#"<text class="h" x="16" y="{y}">{}</text>"#,
            panel.title
        );
        y += 10;
        let largest = panel
            .bars
            .iter()
            .fold(0.0, |most: f64, bar| most.max(bar.1));
        for (name, value) in &panel.bars {
            let width = (value / largest * BAR_PX).max(1.0);
            let class = if name == OWN { "own" } else { "bar" };
            let (text, end) = (y + 13, NAME_PX + width + 6.0);
            let _ = writeln!(
                body,
                r#"<text class="n" x="{}" y="{text}">{name}</text>
<rect class="{class}" x="{NAME_PX}" y="{y}" width="{width:.1}" height="16" rx="2"/>
<text x="{end:.1}" y="{text}">{value:.digits$}</text>"#,
                NAME_PX - 8.0,
            );
            y += 22;
        }
    }
    let height = y + 14;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" width="640" height="{height}" role="img" aria-label="{title}">
<style>
svg {{ background: #ffffff; }}
text {{ font: 13px system-ui, sans-serif; fill: #1f2937; }}
.t {{ font-size: 15px; font-weight: 600; }}
.h {{ font-weight: 600; fill: #4b5563; }}
.n {{ text-anchor: end; }}
.bar {{ fill: #9ca3af; }}
.own {{ fill: #2563eb; }}
</style>
<text class="t" x="16" y="26">{title}</text>
{body}</svg>
"##
    )
}

const NAME_PX: f64 = 150.0;
const BAR_PX: f64 = 410.0;
/// The server whose bars stand out.
const OWN: &str = "guildgate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_grouped_by_measurement_and_sorted() {
        let mut report = Report::new("peers");
        report.figure("9 sockets: ws, ratio", 3.0, "");
        report.figure("9 sockets: send loop, ratio", 1.0, "");
        report.figure("9 sockets: send loop, ratio", 1.0, "");
        report.figure("9 sockets: ws, CPU a frame", 12.0, "µs");
        report.figure("8 sockets: ws, ratio", 2.0, "");
        let panels = panels(&report, ", ratio");
        let names = |panel: &Panel| -> Vec<String> {
            panel.bars.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(panels.len(), 2);
        assert_eq!(names(&panels[0]), ["send loop", "ws"]);
        assert_eq!(names(&panels[1]), ["ws"]);
    }
}
