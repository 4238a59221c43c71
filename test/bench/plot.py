"""The table of boot.py as a picture: for each configuration a bar for each system, on a logarithmic scale."""
import math

ROW, BAR, LEFT, WIDTH, TOP = 16, 11, 210, 560, 46
COLOURS = {"SeaBIOS alone": "#9aa5b1", "vmos": "#1f7a4d", "Linux, -kernel": "#c2571a", "Linux, by GRUB": "#7d3c98"}


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def svg(rows, title, value, unit):
    """value(row): what a bar shows, above 0; rows that did not boot are left out."""
    rows = [row for row in rows if row.used]
    values = [value(row) for row in rows]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    place = lambda number: LEFT + (math.log10(number) - low) / (high - low) * WIDTH
    lines, y, before = [], TOP, None
    for row, number in zip(rows, values):
        here = (row.cpus, row.memory)
        if here != before:
            y += ROW // 2
            lines.append(text(4, y + BAR - 2, f"{row.cpus} CPU{'s' * (row.cpus > 1)}, {row.memory}", 'font-weight="bold"'))
            before = here
        lines.append(text(LEFT - 6, y + BAR - 2, row.who.name, 'text-anchor="end"'))
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{max(1, place(number) - LEFT):.1f}" height="{BAR}" fill="{COLOURS[row.who.name]}"/>')
        lines.append(text(place(number) + 4, y + BAR - 2, f"{number:,.0f}"))
        y += ROW
    grid = []
    for power in range(low, high + 1):
        x = place(10 ** power)
        grid.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{y}" stroke="#d5dae0"/>')
        grid.append(text(x, TOP - 10, f"{10 ** power:,}", 'text-anchor="middle"'))
    size = f"{LEFT + WIDTH + 120} {y + 10}"
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="10">',
            f'<rect width="100%" height="100%" fill="white"/>', text(4, 16, f"{title} ({unit})", 'font-size="13"')]
    return "\n".join(head + grid + lines + ["</svg>", ""])


def least_cpu_time(rows, title):
    """By memory on one CPU, and by CPUs with 256 MiB."""
    rows = [row for row in rows if row.cpus == 1 or row.memory == "256M"]
    return svg(rows, title, lambda row: min(row.used), "QEMU's CPU time in ms, the least of all rounds; logarithmic")
