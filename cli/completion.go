package cli

import (
	"fmt"
	"io"
	"strings"
)

var completionVerb = verb{
	name:  "completion",
	args:  "SHELL",
	short: "print a completion script for bash, zsh, fish or powershell",
	long: `Load it where your shell looks for completions:
  bash        source <(graft completion bash)
  zsh         graft completion zsh > "${fpath[1]}/_graft"
  fish        graft completion fish > ~/.config/fish/completions/graft.fish
  powershell  graft completion powershell | Out-String | Invoke-Expression`,
	examples: []string{"source <(graft completion bash)"},
	run:      runCompletion,
}

// completionFlag as the last word asks for the candidates of the word before it.
const completionFlag = "--generate-shell-completion"

var completionScripts = map[string]string{
	"bash": `_graft() {
  local IFS=$'\n'
  COMPREPLY=($(graft "${COMP_WORDS[@]:1:COMP_CWORD}" ` + completionFlag + ` 2>/dev/null))
}
complete -o default -F _graft graft
`,
	"zsh": `#compdef graft
_graft() {
  local -a found
  found=("${(@f)$(graft "${(@)words[2,CURRENT]}" ` + completionFlag + ` 2>/dev/null)}")
  if [[ -n "$found[1]" ]]; then compadd -- $found; else _files; fi
}
if [[ "$funcstack[1]" == _graft ]]; then _graft "$@"; else compdef _graft graft; fi
`,
	"fish": `function __graft_complete
  set -l words (commandline -opc) (commandline -ct)
  graft $words[2..-1] ` + completionFlag + ` 2>/dev/null
end
complete -c graft -a '(__graft_complete)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName graft -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '""' }
  graft @words ` + completionFlag + ` 2>$null | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`,
}

var shells = []string{"bash", "zsh", "fish", "powershell"}

func runCompletion(c *call) error {
	script, ok := completionScripts[c.Arg(0)]
	if !ok {
		return misuse("unknown shell %s%s", quote(c.Arg(0)), didYouMean(nearest(c.Arg(0), shells)))
	}
	c.JSON(struct {
		Shell  string `json:"shell"`
		Script string `json:"script"`
	}{c.Arg(0), script})
	if !c.Common.JSON {
		_, err := io.WriteString(c.out, script)
		return err
	}
	return nil
}

// complete prints the candidates for the last of words, one a line: verbs,
// flags after a dash, the values of a flag that has a fixed set. Nothing
// leaves the word to the shell's file names.
func complete(w io.Writer, table []verb, words []string) {
	last := ""
	if n := len(words); n > 0 {
		last, words = strings.Trim(words[n-1], `"`), words[:n-1]
	}
	at := &verb{subs: table}
	for _, word := range words {
		if strings.HasPrefix(word, "-") || at.run != nil {
			continue
		}
		if next := at.sub(word); next != nil {
			at = next
		}
	}
	for _, c := range candidates(at, words, last) {
		if strings.HasPrefix(c, last) {
			fmt.Fprintln(w, c)
		}
	}
}

func candidates(at *verb, words []string, last string) []string {
	if at.run == nil {
		return at.subNames()
	}
	known := specs(at.allFlags())
	if n := len(words); n > 0 && knownFlag(words[n-1], known) {
		name, _, hasValue := cutFlag(words[n-1])
		if s := known[name]; s.takesValue && !hasValue {
			if s.option != nil {
				return s.option.values
			}
			return nil
		}
	}
	if !strings.HasPrefix(last, "-") {
		if at.name == completionVerb.name {
			return shells
		}
		return nil
	}
	var out []string
	for _, f := range at.allFlags() {
		out = append(out, "--"+f.Names()[0])
	}
	return append(out, "--help")
}
