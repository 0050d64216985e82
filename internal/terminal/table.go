package terminal

import (
	"bufio"
	"strings"
)

// A Table is rows under a header. On a terminal, the widest columns are shortened until a row fits on a line; elsewhere
// nothing is cut.
type Table struct {
	// Header names the columns.
	Header []string
	// Right lists the columns (from 0) that are aligned to the right: numbers.
	Right []int
	// Rows are the cells. Missing ones are empty, ones too many are left out.
	Rows [][]string
}

// minColumn is the width below which no column is shortened.
const minColumn = 8

// Print writes a table.
func (t *Terminal) Print(table Table) error {
	columns := len(table.Header)
	rows := make([][]string, 0, len(table.Rows)+1)
	for _, cells := range append([][]string{table.Header}, table.Rows...) {
		row := make([]string, columns)
		for i := range min(columns, len(cells)) {
			row[i] = Printable(cells[i])
		}
		rows = append(rows, row)
	}
	widths := t.fit(rows, columns)
	right := make([]bool, columns)
	for _, i := range table.Right {
		if 0 <= i && i < columns {
			right[i] = true
		}
	}
	w := bufio.NewWriter(t.out)
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = shorten(cell, widths[i])
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i > 0 {
				line.WriteString("  ")
			}
			if right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if n == 0 {
			text = t.Bold(text)
		}
		w.WriteString(text)
		w.WriteByte('\n')
	}
	return w.Flush()
}

// fit returns the widths of the columns.
func (t *Terminal) fit(rows [][]string, columns int) []int {
	widths := make([]int, columns)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	room := t.width() - 2*(columns-1)
	if t.width() == 0 {
		return widths
	}
	total := 0
	for _, w := range widths {
		total += w
	}
	for ; total > room; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= minColumn {
			break
		}
		widths[widest]--
	}
	return widths
}
