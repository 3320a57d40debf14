//go:build cgo

package runtime

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestAPISlots compares the positions of functions in capi.h with the C API's header that the binding is compiled with.
func TestAPISlots(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Fatalf("find the binding: %v", err)
	}
	header, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "onnxruntime_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	defer header.Close()
	entry := regexp.MustCompile(`^  (?:ORT_API2_STATUS\(|ORT_API_T\([^,]*, |ORT_CLASS_RELEASE2?\(|[A-Za-z0-9_* ]+\(ORT_API_CALL\* *)([A-Za-z0-9_]+)`)
	positions, n, inside := map[string]int{}, 0, false
	for lines := bufio.NewScanner(header); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "#define ORT_API_VERSION "):
			if line != "#define ORT_API_VERSION "+strconv.Itoa(apiVersion) {
				t.Errorf("the binding has %q, apiVersion is %d", line, apiVersion)
			}
		case strings.HasPrefix(line, "struct OrtApi {"):
			inside = true
		case inside && strings.HasPrefix(line, "};"):
			inside = false
		case inside:
			if m := entry.FindStringSubmatch(line); m != nil {
				name := m[1]
				if strings.Contains(line, "ORT_CLASS_RELEASE") {
					name = "Release" + name
				}
				positions[name] = n
				n++
			}
		}
	}
	own, err := os.ReadFile("capi.h")
	if err != nil {
		t.Fatal(err)
	}
	slots := regexp.MustCompile(`Slot(\w+) = (\d+)`).FindAllStringSubmatch(string(own), -1)
	if len(slots) < 30 || n < 400 {
		t.Fatalf("%d slots, %d functions", len(slots), n)
	}
	for _, s := range slots {
		if strconv.Itoa(positions[s[1]]) != s[2] {
			t.Errorf("%s is at %d, capi.h says %s", s[1], positions[s[1]], s[2])
		}
	}
}
