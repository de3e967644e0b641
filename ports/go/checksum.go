// One short name for the content of a JSON document: equal content has an equal checksum, however it was written down.

package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"unicode/utf16"
)

// #region checksum

// checksumOf is the SHA-256 of the document's canonical form, in 64 lower-case hex digits. document comes from readJSON.
func checksumOf(document any) string {
	sum := sha256.Sum256([]byte(canonicalJSON(document)))
	return hex.EncodeToString(sum[:])
}

// canonicalJSON is JSON with sorted names and without spaces, byte by byte as the stages write it: two files that differ in
// order or layout say the same. https://www.rfc-editor.org/rfc/rfc8785 JSON Canonicalization Scheme
func canonicalJSON(document any) string {
	var canonical bytes.Buffer
	writeCanonical(&canonical, document)
	return canonical.String()
}

func writeCanonical(to *bytes.Buffer, value any) {
	switch value := value.(type) {
	case *Object:
		names := slices.Clone(value.Names)
		slices.SortFunc(names, compareUTF16)
		to.WriteByte('{')
		for at, name := range names {
			if at > 0 {
				to.WriteByte(',')
			}
			writeText(to, name)
			to.WriteByte(':')
			writeCanonical(to, value.Members[name])
		}
		to.WriteByte('}')
	case []any:
		to.WriteByte('[')
		for at, element := range value {
			if at > 0 {
				to.WriteByte(',')
			}
			writeCanonical(to, element)
		}
		to.WriteByte(']')
	case string:
		writeText(to, value)
	case json.Number:
		// encoding/json writes a float64 as JavaScript does.
		number, err := value.Float64()
		switch written, _ := json.Marshal(number); {
		case err != nil:
			to.WriteString("null")
		case number == 0:
			// Also where it is -0.
			to.WriteString("0")
		default:
			to.Write(written)
		}
	case bool:
		to.WriteString(map[bool]string{true: "true", false: "false"}[value])
	default:
		to.WriteString("null")
	}
}

// writeText writes a string as JSON.stringify does: encoding/json escapes two characters more.
func writeText(to *bytes.Buffer, text string) {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	from := to.Len()
	if err := encoder.Encode(text); err != nil {
		panic(err) // A string: there is nothing in it that JSON cannot say.
	}
	written := bytes.TrimSuffix(slices.Clone(to.Bytes()[from:]), []byte("\n"))
	written = unescaped(written, `\u2028`, "\u2028")
	written = unescaped(written, `\u2029`, "\u2029")
	to.Truncate(from)
	to.Write(written)
}

// unescaped puts the character in the place of its escape sequence, but not of a backslash before the same letters.
func unescaped(text []byte, escape, character string) []byte {
	if !bytes.Contains(text, []byte(escape)) {
		return text
	}
	var result []byte
	for at := 0; at < len(text); at++ {
		switch {
		case bytes.HasPrefix(text[at:], []byte(escape)):
			result = append(result, character...)
			at += len(escape) - 1
		case text[at] == '\\':
			result = append(result, text[at], text[at+1])
			at++
		default:
			result = append(result, text[at])
		}
	}
	return result
}

// compareUTF16 orders as JavaScript does: by UTF-16 code units, in which some characters come earlier than in UTF-8.
func compareUTF16(a, b string) int {
	if isASCII(a) && isASCII(b) {
		return cmp.Compare(a, b)
	}
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// #endregion checksum
