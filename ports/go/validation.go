// Finds faults in a JSON document and tells them to the person who wrote it: one line per fault, its path first. Knows nothing of
// routing.

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

const (
	// More faults than this are counted, not listed: nobody reads on, and logs and responses stay small.
	maxFaults = 100
	// More than this are not looked for: a document that is wrong everywhere costs no more than a good one.
	maxFaultsCounted = 10_000
	// A fault is one line, whatever stands in the document.
	maxFaultLength = 300
)

// Faults collects what is wrong with a document.
type Faults struct {
	lines []string
	found int
}

// Add notes a fault at a path; the whole document has an empty one.
func (f *Faults) Add(path []string, message string, details ...any) {
	f.found++
	if f.found <= maxFaults {
		f.lines = append(f.lines, cutText(pathText(path)+": "+fmt.Sprintf(message, details...), maxFaultLength))
	}
}

// IsFull tells whether to stop looking.
func (f *Faults) IsFull() bool { return f.found > maxFaultsCounted }

// List is the first faults; the last line may say how many more there are.
func (f *Faults) List() []string {
	switch {
	case f.IsFull():
		return append(f.lines, fmt.Sprintf("… and more than %d more", maxFaultsCounted-maxFaults))
	case f.found > maxFaults:
		return append(f.lines, fmt.Sprintf("… and %d more", f.found-maxFaults))
	}
	return f.lines
}

// #region fields

// Fields reads the members of one object. What is wrong with one is noted, and a zero value stands in its place.
type Fields struct {
	faults *Faults
	path   []string
	object *Object
	known  map[string]bool
}

// fieldsOf reads value as an object; nil, with a fault noted, when it is none.
func fieldsOf(faults *Faults, path []string, value any, isThere bool) *Fields {
	object, ok := value.(*Object)
	if !ok {
		faults.Add(path, "%s", expected("an object", value, isThere))
		return nil
	}
	return &Fields{faults: faults, path: path, object: object, known: map[string]bool{}}
}

// Has tells whether a member is there, and that it is a known one.
func (f *Fields) Has(name string) bool {
	f.known[name] = true
	_, ok := f.object.Members[name]
	return ok
}

// At is the path of a member.
func (f *Fields) At(name string) []string { return append(f.path[:len(f.path):len(f.path)], name) }

// Object reads a member that is an object; nil when it is none.
func (f *Fields) Object(name string) *Fields {
	return fieldsOf(f.faults, f.At(name), f.object.Members[name], f.Has(name))
}

// Text reads a member that must be a string of 1 to maxLength characters.
func (f *Fields) Text(name string, maxLength int) (string, bool) {
	isThere := f.Has(name)
	text, ok := f.object.Members[name].(string)
	switch {
	case !ok:
		f.faults.Add(f.At(name), "%s", expected("a string", f.object.Members[name], isThere))
	case text == "":
		f.faults.Add(f.At(name), "must not be empty")
	case len(text) > maxLength && utf16Length(text) > maxLength:
		f.faults.Add(f.At(name), "must have at most %d characters", maxLength)
	default:
		return text, true
	}
	return "", false
}

// Bounds of a number. Above: the smallest value itself is too small.
type Bounds struct {
	Min, Max       float64
	Above, IsWhole bool
}

// Number reads a member that is a number within bounds, or returns otherwise where there is none. Without one: required.
func (f *Fields) Number(name string, bounds Bounds, otherwise ...float64) float64 {
	isThere := f.Has(name)
	if !isThere && len(otherwise) > 0 {
		return otherwise[0]
	}
	what := "a number"
	if bounds.IsWhole {
		what = "a whole number"
	}
	number, ok := f.object.Members[name].(json.Number)
	value, err := strconv.ParseFloat(string(number), 64)
	switch {
	case !ok || err != nil || bounds.IsWhole && value != math.Trunc(value):
		f.faults.Add(f.At(name), "%s", expected(what, f.object.Members[name], isThere))
	case bounds.Above && value <= bounds.Min:
		f.faults.Add(f.At(name), "expected more than %g, got %s", bounds.Min, number)
	case value < bounds.Min:
		f.faults.Add(f.At(name), "expected at least %g, got %s", bounds.Min, number)
	case value > bounds.Max:
		f.faults.Add(f.At(name), "expected at most %g, got %s", bounds.Max, number)
	}
	return value
}

// End notes the members that nobody has asked for.
func (f *Fields) End() {
	for _, name := range f.object.Names {
		if !f.known[name] {
			f.faults.Add(f.At(name), "unknown property")
		}
	}
}

// #endregion fields

// #region words

var plainName = regexp.MustCompile(`^[\w$-]+$`)

// pathText is a path as one would write it in code; the whole document is `(document)`.
func pathText(path []string) string {
	if len(path) == 0 {
		return "(document)"
	}
	var text strings.Builder
	for _, part := range path {
		if plainName.MatchString(part) {
			text.WriteString("." + cutText(part, 80))
		} else {
			text.WriteString("[" + quoted(part) + "]")
		}
	}
	return strings.TrimPrefix(text.String(), ".")
}

func expected(what string, value any, isThere bool) string {
	if !isThere {
		return "missing; expected " + what
	}
	return fmt.Sprintf("expected %s, got %s", what, quoted(value))
}

// quoted is a value in words, cut short: what is wrong may be large or deep.
func quoted(value any) string {
	switch value := value.(type) {
	case *Object:
		return "an object"
	case []any:
		return "a list"
	case string:
		text, _ := json.Marshal(cutText(value, 100))
		return cutText(string(text), 80)
	case nil:
		return "null"
	default:
		return cutText(fmt.Sprint(value), 80)
	}
}

// cutText cuts between characters, not in the middle of one.
func cutText(text string, maxLength int) string {
	if len(text) <= maxLength {
		return text
	}
	return strings.ToValidUTF8(text[:maxLength], "") + "…"
}

func utf16Length(text string) int { return len(utf16.Encode([]rune(text))) }

// #endregion words
