package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"graft/training/degrade"
	"graft/training/loss"
	"graft/training/oes"
	"graft/training/optim"
	"graft/training/setting"
)

// documents are the pages that show command lines, by their paths from the project's root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob("../docs/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no pages under docs (%v)", err)
	}
	pages := map[string]string{}
	for _, path := range append(found, "../README.md", "../ARCHITECTURE.md") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[strings.TrimPrefix(filepath.ToSlash(path), "../")] = string(data)
	}
	return pages
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```")
	shellWord  = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|\S)+`)
	codeInline = regexp.MustCompile("`((?:graft|go run \\.) [^`]+)`")
)

// commandLines are the words behind "graft" and "go run ." in a page's code.
func commandLines(page string) (lines [][]string) {
	add := func(text string) {
		text, _, _ = strings.Cut(text, " #")
		text, _, _ = strings.Cut(text, " > ")
		words := shellWord.FindAllString(strings.TrimPrefix(strings.TrimSpace(text), "$ "), -1)
		switch {
		case len(words) > 1 && words[0] == "graft":
			words = words[1:]
		case len(words) > 3 && slices.Equal(words[:3], []string{"go", "run", "."}):
			words = words[3:]
		default:
			return
		}
		for i, w := range words {
			words[i] = strings.Trim(w, "'\"")
		}
		lines = append(lines, words)
	}
	for _, m := range codeBlock.FindAllStringSubmatch(page, -1) {
		if m[1] != "" && m[1] != "sh" {
			continue
		}
		for line := range strings.Lines(m[2]) {
			add(line)
		}
	}
	for _, m := range codeInline.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		add(m[1])
	}
	return lines
}

// TestPagesCommandLines holds every command line in the pages against the table of verbs: verbs and flags that there are,
// values in range, as many arguments as the verb wants. A verb named alone in a sentence is no command line.
func TestPagesCommandLines(t *testing.T) {
	total := 0
	for page, text := range documents(t) {
		for _, words := range commandLines(text) {
			shown := "graft " + strings.Join(words, " ")
			if slices.Contains(words, "VERB") {
				continue
			}
			total++
			l, err := reorder(verbs, words)
			if l.help || err != nil && l.verb() != nil && len(l.flags)+len(l.args) == 0 && slices.Equal(words, strings.Fields(l.name())) {
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", page, shown, err)
			}
		}
	}
	t.Logf("%d command lines", total)
	if total < 40 {
		t.Errorf("only %d command lines were found", total)
	}
}

// TestReadmeVerbs holds the README's table of verbs to the verbs.
func TestReadmeVerbs(t *testing.T) {
	readme := documents(t)["README.md"]
	for i := range verbs {
		for _, row := range verbRows("", &verbs[i]) {
			if want := fmt.Sprintf("| `%s` | %s |\n", row[0], row[1]); !strings.Contains(readme, want) {
				t.Errorf("README.md lacks the row %s", want)
			}
		}
	}
}

// TestPagesTables holds tables in the pages to the code that they describe.
func TestPagesTables(t *testing.T) {
	pages := documents(t)
	wants := func(page, what, row string) {
		if !strings.Contains(pages[page], row) {
			t.Errorf("%s lacks the %s %q", page, what, row)
		}
	}
	for name, p := range denoisePresets {
		wants("docs/denoise.md", "row of a preset", presetRow(name, p))
	}
	for _, e := range networks {
		wants("docs/models.md", "network", fmt.Sprintf("| `%s` | %s |", e.Name, e.Short))
	}
	for _, name := range pruneMethods() {
		wants("docs/prune.md", "method", "| `"+name+"` |")
	}
	for _, f := range pruneVerb.flags {
		wants("docs/prune.md", "flag", "`--"+f.Names()[0])
	}
	for _, f := range artifactsVerb.flags {
		wants("docs/train.md", "flag", "`--"+f.Names()[0])
	}
	for _, row := range optim.Catalog {
		wants("docs/train.md", "optimizer", "| `"+row.Name+"` | "+settingsCell(row.Settings)+" | "+strconv.FormatFloat(row.Make(settingsOf(row.Settings)).LearningRate, 'f', -1, 64)+" |")
	}
	for _, row := range loss.Catalog {
		wants("docs/train.md", "loss", "| `"+row.Loss.Name+"` |")
		wants("docs/train.md", "settings of a loss", settingsCell(row.Settings))
	}
	for _, p := range priors {
		wants("docs/denoise.md", "network", "| `"+p.Name+"` | "+p.Doc+" |")
	}
	for _, name := range oes.MethodNames() {
		wants("docs/denoise.md", "baseline", "`"+name+"`")
	}
	for _, row := range degrade.Catalog {
		wants("docs/tasks.md", "task", "| `"+row.Name+"` |")
	}
	tasks := flagNames(taskOptions())
	for _, name := range flagNames(denoiseVerb.flags) {
		page := "docs/denoise.md"
		if slices.Contains(tasks, name) {
			page = "docs/tasks.md"
		}
		wants(page, "flag", "--"+name)
	}
	for line := range strings.Lines(exitHelp) {
		if code, text, found := strings.Cut(strings.TrimSpace(line), "  "); found {
			first, _, _ := strings.Cut(strings.TrimSpace(text), " (")
			wants("docs/errors.md", "exit code", fmt.Sprintf("| %s | %s", code, first))
		}
	}
}

func flagNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

func presetRow(name string, p denoisePreset) string {
	at := "the photo's size"
	if p.MaskSide > 0 {
		at = fmt.Sprintf("%d pixels", p.MaskSide)
	}
	widths := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Network.Channels), "[]"), " ", ", ")
	return fmt.Sprintf("| `%s` | %s | %g %% | %s | %d | %d |", name, widths, 100*p.Sparsity, at, p.MaskSteps, p.TrainSteps)
}

// settingsCell is how a table lists settings with their usual values.
func settingsCell(list []setting.Setting) string {
	parts := make([]string, len(list))
	for i, s := range list {
		value := strings.Replace(strconv.FormatFloat(s.Default, 'g', -1, 64), "e-0", "e-", 1)
		parts[i] = "`--" + s.Name + "` " + value
	}
	return strings.Join(parts, ", ")
}

func settingsOf(list []setting.Setting) setting.Values {
	values := setting.Values{}
	for _, s := range list {
		values[s.Name] = s.Default
	}
	return values
}
