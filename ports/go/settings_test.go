package main

import (
	"strings"
	"testing"
)

func settingsFault(name, value string) string {
	_, err := readSettings(func(each string) (string, bool) { return value, each == name })
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSettingsNameNoValueThatMayHoldASecret(t *testing.T) {
	for name, value := range map[string]string{
		"CELLS":             "tier1=http://a:1,visa=http://me:pa55word@b:2",
		"CONTROL_PLANE_URL": "ws://me:pa55word@127.0.0.1:8081",
	} {
		if fault := settingsFault(name, value); !strings.HasPrefix(fault, name+": ") || strings.Contains(fault, "pa55") {
			t.Errorf("%s", fault)
		}
	}
	const expected = `CELLS="tier1=http://a:1,vsia=http://b:2": Write each cell as name=http://host:port, where name is one of visa, tier1, tier2, tier3; entry 2 is not`
	if fault := settingsFault("CELLS", "tier1=http://a:1,vsia=http://b:2"); fault != expected {
		t.Errorf("%s", fault)
	}
}
