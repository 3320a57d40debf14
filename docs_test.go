package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the project's own pages: text that people read.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "ARCHITECTURE.md"}
	for _, pattern := range []string{"docs/*.md", "testdata/*.md", "testdata/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no page (%v)", pattern, err)
		}
		list = append(list, found...)
	}
	return list
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks holds that every relative link leads to a file and, where it names one, to a heading.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %s: %v", page, m[1], err)
				continue
			}
			if u.IsAbs() {
				if u.Scheme != "https" {
					t.Errorf("%s: link %s: wants https", page, m[1])
				}
				continue
			}
			target := page
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(u.Path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %s: %v", page, m[1], err)
			} else if u.Fragment != "" && !slices.Contains(headings(read(t, target)), u.Fragment) {
				t.Errorf("%s: link %s: no such heading", page, m[1])
			}
		}
	}
}

// headings are the anchors of a page's headings.
func headings(page string) (list []string) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		list = append(list, strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(text, ""), " ", "-"))
	}
	return list
}

// TestEveryPageIsLinked holds that the README leads to every page under docs.
func TestEveryPageIsLinked(t *testing.T) {
	readme := read(t, "README.md")
	found, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		if !strings.Contains(readme, "]("+filepath.ToSlash(page)+")") {
			t.Errorf("README.md: no link to %s", page)
		}
	}
}

var fence = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```")

// TestFirstCommands holds the README's first fenced block to the two commands that a newcomer copies, and .ci/run to the
// same test command.
func TestFirstCommands(t *testing.T) {
	m := fence.FindStringSubmatch(read(t, "README.md"))
	if m == nil {
		t.Fatal("README.md: no fenced block")
	}
	var commands []string
	for line := range strings.Lines(m[1]) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), " #")
		commands = append(commands, strings.TrimSpace(command))
	}
	want := []string{"go run . denoise testdata/images/chelsea.png --noise 0.1 --out out/", "go test ./..."}
	if !slices.Equal(commands, want) {
		t.Errorf("README.md: the first block holds %q, want %q", commands, want)
	}
	ci := read(t, ".ci/run")
	for _, command := range []string{"ORT_REQUIRED=1 go test ./...", strings.TrimSuffix(want[0], " --out out/")} {
		if !strings.Contains(ci, "\n"+command) {
			t.Errorf(".ci/run does not run %q", command)
		}
	}
}

// TestPagesNameNoMachine holds that pages name no folder of one machine, and no host but those that a reader needs.
func TestPagesNameNoMachine(t *testing.T) {
	folder := regexp.MustCompile(`(?:^|[\s\x60"'(=])/(?:root|home|work|tmp|mnt|srv|Users)\b`)
	host := regexp.MustCompile(`\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|ai|cloud|internal|local|lan|corp)\b`)
	known := []string{"arxiv.org", "github.com", "example.org"}
	for _, page := range pages(t) {
		for i, line := range strings.Split(read(t, page), "\n") {
			if m := folder.FindString(line); m != "" {
				t.Errorf("%s:%d: names the folder %s", page, i+1, m)
			}
			for _, h := range host.FindAllString(strings.ToLower(line), -1) {
				if !slices.Contains(known, h) {
					t.Errorf("%s:%d: names the host %s", page, i+1, h)
				}
			}
		}
	}
}

// TestArchitectureNamesEveryPackage holds ARCHITECTURE.md to the packages that there are.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text := read(t, "ARCHITECTURE.md")
	own, _ := list(t)
	for _, p := range own {
		name := short(module(t), p.ImportPath)
		if name == "." {
			continue
		}
		folder, leaf := filepath.Split(name)
		inBraces := regexp.MustCompile(regexp.QuoteMeta(strings.TrimSuffix(folder, "/")) + `/\{[^}]*\b` + regexp.QuoteMeta(leaf) + `\b[^}]*\}`)
		if !strings.Contains(text, "`"+name+"`") && !inBraces.MatchString(text) {
			t.Errorf("ARCHITECTURE.md does not name package %s", name)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z_]+(?:/[a-z_]+)*/[a-z_]+\\.go)`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("ARCHITECTURE.md: %v", err)
		}
	}
}
