package cli

import (
	"strings"
	"testing"
)

// TestManPages holds that every verb has a page with its summary and all its flags, and completes.
func TestManPages(t *testing.T) {
	pages := 0
	var walk func(path string, list []verb)
	walk = func(path string, list []verb) {
		for i := range list {
			v := &list[i]
			if v.hidden {
				continue
			}
			name := strings.TrimSpace(path + " " + v.name)
			page := manPage(name, v)
			pages++
			for _, want := range []string{".TH ", ".SH NAME\n" + roff(strings.ReplaceAll("graft "+name, " ", "-")) + ` \- ` + roff(v.short), ".SH EXIT STATUS"} {
				if !strings.Contains(page, want) {
					t.Errorf("page of %s lacks %q", name, want)
				}
			}
			for line := range strings.Lines(page) {
				if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.Contains(" .TH .SH .SS .TP .B .nf .fi ", " "+strings.Fields(line)[0]+" ") {
					t.Errorf("page of %s has the request %q", name, line)
				}
			}
			if v.run == nil {
				walk(name, v.subs)
				continue
			}
			var out strings.Builder
			complete(&out, verbs, append(strings.Fields(name), "--"))
			for _, f := range v.allFlags() {
				flag := f.Names()[0]
				if !strings.Contains(page, roff("--"+flag)) {
					t.Errorf("page of %s lacks --%s", name, flag)
				}
				if !strings.Contains(out.String(), "--"+flag+"\n") {
					t.Errorf("completion of %s lacks --%s", name, flag)
				}
			}
		}
	}
	walk("", verbs)
	if page := manPage("", &verb{subs: verbs}); !strings.Contains(page, roff("pipeline run")) || strings.Contains(page, onnxGoVerb.name) {
		t.Errorf("graft's own page:\n%s", page)
	}
	t.Logf("%d pages", pages)
}
