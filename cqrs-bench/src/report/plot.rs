//! The plot: a panel for each workload, with bars of who does it how fast, or with lines over the size of a store.

use std::ops::Range;

use cqrs::BoxError;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::table::rounded;

/// A panel.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    /// What the numbers are.
    pub unit: String,
    pub content: Content,
}

/// What is drawn in a panel.
#[derive(Debug, Clone)]
pub enum Content {
    /// A bar each, from above.
    Bars(Vec<(String, f64)>),
    /// A line each, of points; the first coordinate is how many events a store holds.
    Lines(Vec<(String, Vec<(f64, f64)>)>),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const COLUMNS: usize = 2;
const PANEL: (u32, u32) = (560, 240);
const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(170, 175, 182);
const OURS: RGBColor = RGBColor(31, 119, 180);
const OTHERS: RGBColor = RGBColor(158, 176, 196);
const LINES: [RGBColor; 6] = [
    OURS,
    RGBColor(214, 95, 14),
    RGBColor(44, 140, 60),
    RGBColor(148, 80, 160),
    RGBColor(180, 40, 50),
    RGBColor(110, 110, 110),
];

/// All panels, two beside each other.
///
/// # Errors
/// When one can't be drawn.
pub fn svg(charts: &[&Chart]) -> Result<String, BoxError> {
    let rows = charts.len().div_ceil(COLUMNS).max(1);
    let (width, height) = (PANEL.0 * u32::try_from(COLUMNS)?, PANEL.1 * u32::try_from(rows)?);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        area.fill(&WHITE)?;
        for (chart, panel) in charts.iter().zip(area.split_evenly((rows, COLUMNS))) {
            let title = format!("{}, {}", chart.title, chart.unit);
            let panel = panel.margin(8, 8, 12, 12).titled(&title, font(14))?;
            match &chart.content {
                Content::Bars(bars) => draw_bars(&panel, bars)?,
                Content::Lines(lines) => draw_lines(&panel, lines)?,
            }
        }
        area.present()?;
    }
    Ok(text)
}

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Horizontal bars with their numbers beside them: no axis is needed.
#[expect(clippy::cast_possible_truncation, reason = "pixels")]
fn draw_bars(panel: &Area<'_>, bars: &[(String, f64)]) -> Result<(), BoxError> {
    const NAMES: i32 = 150;
    const NUMBERS: i32 = 80;
    let (width, height) = panel.dim_in_pixel();
    let (width, height) = (i32::try_from(width)?, i32::try_from(height)?);
    let most = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let each = (height / i32::try_from(bars.len().max(1))?).min(34);
    let room = f64::from(width - NAMES - NUMBERS);
    for (number, (name, value)) in (0..).zip(bars) {
        let (top, middle) = (number * each + 4, number * each + each / 2);
        let length = (value / most * room).max(1.0) as i32;
        let colour = if number == 0 { OURS } else { OTHERS };
        let corners = [(NAMES, top), (NAMES + length, top + each - 8)];
        panel.draw(&Rectangle::new(corners, colour.filled()))?;
        let right = font(12).pos(Pos::new(HPos::Right, VPos::Center));
        panel.draw(&Text::new(name.clone(), (NAMES - 6, middle), right))?;
        let left = font(12).pos(Pos::new(HPos::Left, VPos::Center));
        panel.draw(&Text::new(rounded(*value), (NAMES + length + 6, middle), left))?;
    }
    Ok(())
}

/// Lines over the size of a store, which grows by factors, so its axis is logarithmic; their names beside them.
fn draw_lines(panel: &Area<'_>, lines: &[(String, Vec<(f64, f64)>)]) -> Result<(), BoxError> {
    const NAMES: u32 = 215;
    let (width, _) = panel.dim_in_pixel();
    let (panel, names) = panel.split_horizontally(width.saturating_sub(NAMES));
    let points = || lines.iter().flat_map(|(_, points)| points);
    let sizes = around(points().map(|(size, _)| *size), 0.8, 1.25);
    let values = 0.0..around(points().map(|(_, value)| *value), 1.0, 1.15).end;
    let mut chart = ChartBuilder::on(&panel)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(sizes.log_scale(), values)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(FAINT.mix(0.5))
        .axis_style(FAINT)
        .label_style(font(11))
        .x_labels(4)
        .y_labels(5)
        .x_label_formatter(&|size| rounded(*size))
        .y_label_formatter(&|value| rounded(*value))
        .draw()?;
    for ((number, (name, points)), colour) in (0..).zip(lines).zip(LINES.iter().cycle()) {
        let line = points.iter().copied();
        chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        let middle = 12 + number * 18;
        names.draw(&PathElement::new([(6, middle), (18, middle)], colour.stroke_width(2)))?;
        let left = font(11).pos(Pos::new(HPos::Left, VPos::Center));
        names.draw(&Text::new(name.clone(), (24, middle), left))?;
    }
    Ok(())
}

/// What the values span, with some room.
fn around(values: impl Iterator<Item = f64>, below: f64, above: f64) -> Range<f64> {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    if least.is_finite() && most > 0.0 { least * below..most * above } else { 0.5..2.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

    use super::*;

    #[test]
    fn a_plot_names_what_it_shows() {
        let bars = vec![("ours".to_owned(), 23_456.0), ("another".to_owned(), 100.0)];
        let lines = vec![("new accounts".to_owned(), vec![(1e4, 20.0), (1e6, 25.0)])];
        let charts = [
            Chart {
                title: "commands".into(),
                unit: "per second".into(),
                content: Content::Bars(bars),
            },
            Chart { title: "growth".into(), unit: "µs".into(), content: Content::Lines(lines) },
        ];
        let svg = svg(&charts.iter().collect::<Vec<_>>()).unwrap();
        for text in ["<svg", "commands, per second", "another", "23\u{a0}500", "new accounts"] {
            assert!(svg.contains(text), "{text} is missing in {svg}");
        }
    }

    #[test]
    fn a_plot_of_nothing_can_be_drawn() {
        let empty = |content| Chart { title: String::new(), unit: String::new(), content };
        let charts = [empty(Content::Bars(Vec::new())), empty(Content::Lines(Vec::new()))];
        assert!(svg(&charts.iter().collect::<Vec<_>>()).unwrap().ends_with("</svg>\n"));
        assert!(svg(&[]).is_ok());
    }
}
